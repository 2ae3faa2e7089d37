import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openStore } from '../../shared/storage/store.ts';
import { manyNames, namesOf } from '../support/ngc-names.ts';
import { spawnLarder } from '../support/spawn-larder.ts';
import { latencies, percentile } from './measure.ts';
import type { Row } from './table.ts';

const MODELS = 2000;
const WANTED = 50;
/** As ngcsdk, TAO and somebody who looks for a word ask. */
const QUESTIONS = {
  'a team, 100 on a page (ngcsdk)': {
    query: 'resourceId:nvidia/team7/*',
    pageSize: 100,
    orderBy: [{ field: 'score', value: 'ASC' }],
  },
  'all, 1,000 on a page (TAO)': { query: 'resourceId:nvidia/*', pageSize: 1000 },
  'two words': { query: 'this label3', pageSize: 100 },
  'in the order of dates': { query: '*', pageSize: 100, orderBy: [{ field: 'dateModified', value: 'DESC' }] },
};

/** Milliseconds of searches over 2,000 models that are held: warm, the first after the start, the first after a change. */
export async function benchNgcSearch(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const path = join(folder, 'larder');
  const store = await openStore(path, { now: Date.now });
  await store.catalog('ngc').putMany(manyNames(MODELS));
  const site = await spawnLarder({ store: path, env: { AIRGAPPED_MODE: 'true', LARDER_LOG_LEVEL: 'warn' } });
  const urlOf = (q: object) =>
    `${site.urls.ngc}/v2/search/catalog/resources/MODEL?q=${encodeURIComponent(JSON.stringify(q))}`;
  const first = QUESTIONS['a team, 100 on a page (ngcsdk)'];
  try {
    const rows = [rowOf('the first after the start', await once(urlOf(first)))];
    for (const [what, q] of Object.entries(QUESTIONS)) {
      const times = await latencies(urlOf(q), { perSecond: 20, seconds: 5 });
      rows.push(rowOf(`${what}, p50`, percentile(times, 0.5)), rowOf(`${what}, p99`, percentile(times, 0.99)));
    }
    const changed: number[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      await store.catalog('ngc').putMany(namesOf(`nvidia/new/model-${turn}:v1`));
      // lists are trusted for a second although names changed
      await setTimeout(1200);
      changed.push(await once(urlOf(first)));
    }
    rows.push(rowOf('the first after a change, the worst of 5', Math.max(...changed)));
    return rows;
  } finally {
    await site.stop();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function once(url: string): Promise<number> {
  const started = performance.now();
  const answer = await fetch(url);
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status}`);
  return performance.now() - started;
}

function rowOf(what: string, ms: number): Row {
  return {
    what: `search of ${MODELS} NGC models: ${what}, ms`,
    ours: ms.toFixed(1),
    peer: '–',
    ratio: ms / WANTED,
    wanted: `< ${WANTED} ms`,
    met: ms < WANTED,
  };
}

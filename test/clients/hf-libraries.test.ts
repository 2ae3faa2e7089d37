import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AirGap, makeAirGap } from '../support/air-gap.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { client } from '../support/clients.ts';
import { type Hub, startHub } from '../support/hub.ts';
import { answerOf, type Content, makeContent, SCRIPTS } from '../support/library-content.ts';
import { type Line, OFFER_XET, WORKS, type Work } from '../support/library-works.ts';
import { clientHome, runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

/** Milliseconds for the first run on a machine: torch and what it needs are 6 GB. */
const INSTALL = 1_800_000;

let folder: { path: string; remove(): Promise<void> };
let hub: Hub;
let content: Content;

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const { client: name } of Object.values(WORKS)) await client(name);
  hub = await startHub();
  content = await makeContent(folder.path);
  for (const repo of content.repos) hub.add(repo);
}, INSTALL);

afterAll(async () => {
  await hub?.close();
  await folder?.remove();
});

describe('through a mirror of the hub', () => {
  test.each(Object.keys(WORKS))('%s, and again from what is held', async (name) => {
    const work = WORKS[name]!;
    const store = join(folder.path, `store-${Object.keys(WORKS).indexOf(name)}`);
    const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url, ...work.settings };
    const mirror = await spawnLarder({ store, env });
    await judge(work, mirror, runCommand);
    const before = hub.calls().length;
    await judge(work, mirror, runCommand);
    const files = hub.calls().slice(before);
    expect(files.filter(({ host, path }) => host === 'cdn' || path.includes('/resolve'))).toEqual([]);
    await mirror.stop();
  });

  test.each([
    ['by default no answer shows a sign of Xet', {}, []],
    [
      'where Xet is offered the same answers show it',
      OFFER_XET,
      ['HEAD', 'GET', 'tree', 'tree of a page', 'paths-info'],
    ],
  ] as const)('%s', async (_name, settings, expected) => {
    const store = join(folder.path, `store-signs-${expected.length}`);
    const mirror = await spawnLarder({ store, env: { LARDER_HUGGINGFACE_ORIGIN: hub.url, ...settings } });
    expect(await signsOfXet(mirror.urls.huggingface!)).toEqual(expected);
    await mirror.stop();
  });
});

describe('behind the gap', () => {
  let gap: AirGap;
  let resolver: string;
  const sites: SpawnedLarder[] = [];

  beforeAll(async () => {
    const manifest = join(folder.path, 'bundle.yaml');
    const items = ['{ hf: "acme/tiny" }', '{ hf: "acme/big" }', '{ hf: "acme/heavy" }', '{ "hf-dataset": "acme/ds" }'];
    await writeFile(
      manifest,
      `format: larder-manifest/1\nname: libraries\nitems:\n${items.map((item) => `  - ${item}\n`).join('')}`,
    );
    const bundle = join(folder.path, 'bundle');
    const site = join(folder.path, 'site');
    const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url };
    const connected = join(folder.path, 'connected');
    expect(await larder(['bundle', 'create', manifest, bundle, '--store', connected], { env })).toMatchObject({
      code: 0,
    });
    expect(await larder(['bundle', 'import', bundle, '--store', site])).toMatchObject({ code: 0 });
    resolver = join(folder.path, 'resolv.conf');
    await writeFile(resolver, 'nameserver 127.0.0.1\n');
    gap = await makeAirGap();
    for (const settings of [{}, OFFER_XET])
      sites.push(await spawnLarder({ store: site, env: { AIRGAPPED_MODE: 'true', ...settings }, wrap: gap.inside }));
  });

  afterAll(async () => {
    for (const site of sites) await site.stop();
    await gap?.close();
  });

  test.each(Object.keys(WORKS))('%s', async (name) => {
    const work = WORKS[name]!;
    const site = sites[work.settings ? 1 : 0]!;
    await judge(work, site, (command, args, options) => {
      const plain: [string, readonly string[]] = [command, args];
      const [first, rest] = work.resolvesNames ? withoutNames(resolver, ...plain) : plain;
      return runCommand(...gap.inside(first, rest), options);
    });
  });

  test('nothing tried to leave the gap', async () => {
    expect(await gap.escaped()).toBe(0);
  });
});

/** Which answers about a large file betray that there is Xet. */
async function signsOfXet(url: string): Promise<string[]> {
  const { sha } = hub.repo('acme/heavy');
  const api = `${url}/api/models/acme/heavy`;
  const paths = new URLSearchParams({ paths: 'weights.bin', expand: 'true' });
  const asked: [string, string, RequestInit?][] = [
    ['HEAD', `${url}/acme/heavy/resolve/main/weights.bin`, { method: 'HEAD' }],
    ['GET', `${url}/acme/heavy/resolve/${sha}/weights.bin`],
    ['info', api],
    ['info of blobs', `${api}?blobs=true`],
    ['info of a revision', `${api}/revision/${sha}?expand=xetEnabled&expand=siblings`],
    ['tree', `${api}/tree/${sha}?recursive=true`],
    ['tree of a page', `${api}/tree/${sha}?expand=true`],
    ['paths-info', `${api}/paths-info/${sha}`, { method: 'POST', body: paths }],
  ];
  const signs: string[] = [];
  for (const [what, address, options] of asked) {
    const answer = await fetch(address, options);
    expect(answer.status).toBe(200);
    // which names a browser's scripts may read is said with every answer
    const fields = [...answer.headers].filter(([name]) => name !== 'access-control-expose-headers');
    const body = answer.headers.get('content-type')?.includes('json') ? await answer.text() : '';
    await answer.body?.cancel().catch(() => undefined);
    if (/x-xet-|xet-auth|xetHash|xetEnabled/i.test(JSON.stringify(fields) + body)) signs.push(what);
  }
  return signs;
}

/** Lets a library work in a new home, and looks at what came out and at what it asked for. */
async function judge(work: Work, mirror: SpawnedLarder, run: typeof runCommand): Promise<void> {
  const home = await clientHome();
  const before = mirror.log().length;
  const ran = await run(
    join(await client(work.client), 'python'),
    [join(SCRIPTS, work.script), ...work.args(home.path, hub)],
    { cwd: home.path, env: { ...home.env, HF_ENDPOINT: mirror.urls.huggingface, ...work.env } },
  );
  expect({ ...ran, log: ran.code === 0 ? '' : mirror.log().slice(before) }).toMatchObject({ code: 0, log: '' });
  expect(answerOf(ran)).toEqual(work.expected(content));
  const lines = () => linesOf(mirror.log().slice(before));
  expect(lines().filter(({ status }) => status >= 500)).toEqual([]);
  // a request is written down when its connection is done with it
  if (work.asked) await vi.waitFor(() => work.asked!(lines()), { timeout: 5000 });
  await home.remove();
}

/** A site whose name server says no at once: the questions of this command do not leave, those of Larder would. */
function withoutNames(resolver: string, command: string, args: readonly string[]): [string, string[]] {
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  return ['unshare', ['--mount', 'sh', '-c', script, resolver, command, ...args]];
}

function linesOf(log: string): Line[] {
  return log
    .split('\n')
    .filter((line) => line.includes('"event":"request"'))
    .map((line) => JSON.parse(line) as Line);
}

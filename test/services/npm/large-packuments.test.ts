import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPackument } from '../../../services/npm/packument-text.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { ABBREVIATED, type Registry, startRegistry } from './registry.ts';

let server: OriginServer;
let origin: NpmOrigin;
let registry: Registry;

beforeEach(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  registry = await startRegistry({ config: { origins: [{ name: 'main', url: origin.url }] } });
});

afterEach(async () => {
  await registry.close();
  await server.close();
});

const VERSIONS = 8_000;

/** Over 50 MB, as packuments of that size are made: thousands of versions of some kilobytes. */
function offerLarge(): string {
  const built = origin.publish({ name: 'large', version: '1.0.0' });
  const filler = Object.fromEntries(
    Array.from({ length: 120 }, (_, at) => [`dependency-number-${at}`, `^${at}.0.0 || ~${at}.1 `]),
  );
  const versions = Array.from({ length: VERSIONS }, (_, at) => {
    const version = `1.0.${at}`;
    const dist = {
      tarball: `${server.url}${origin.tarballPath('large', version)}`,
      shasum: built.shasum,
      integrity: built.integrity,
    };
    return [
      version,
      { name: 'large', version, dependencies: filler, devDependencies: filler, readme: 'é "x" \\ '.repeat(10), dist },
    ];
  });
  const last = `1.0.${VERSIONS - 1}`;
  server.set(origin.tarballPath('large', last), { body: built.bytes });
  const body = JSON.stringify({ name: 'large', 'dist-tags': { latest: last }, versions: Object.fromEntries(versions) });
  expect(body.length).toBeGreaterThan(50 << 20);
  server.set(origin.packumentPath('large'), { body, type: 'application/json' });
  return body;
}

test('a packument of over 50 MB is given in both forms, and everybody else is answered meanwhile', async () => {
  const body = offerLarge();
  origin.publish({ name: 'small', version: '1.0.0' });
  await registry.get('/small');
  const delay = monitorEventLoopDelay({ resolution: 5 });
  // the played origin makes its body in this process: what counts is from when the bytes are here
  await registry.get('/large/1.0.5');
  await registry.larder.settled();
  const atOnce = timeOf(() => JSON.stringify(JSON.parse(body)));
  delay.enable();
  const [full, short, small] = await Promise.all([
    registry.get('/large', { 'accept-encoding': 'gzip' }),
    registry.get('/large', { accept: ABBREVIATED, 'accept-encoding': 'gzip' }),
    registry.get('/small'),
  ]);
  delay.disable();
  expect([full.status, short.status, small.status]).toEqual([200, 200, 200]);
  expect(delay.max / 1e6).toBeLessThan(atOnce);
  const { json } = await registry.get('/large', { accept: ABBREVIATED });
  expect(Object.keys(json.versions)).toHaveLength(VERSIONS);
  expect((await registry.get(`/large/-/large-1.0.${VERSIONS - 1}.tgz`)).status).toBe(200);
}, 60_000);

function timeOf(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

test('others get their turn while a long packument is read', async () => {
  const dist = { tarball: 'http://h.example/a.tgz' };
  const versions = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, at) => [`1.0.${at}`, { dist, filler: 'x'.repeat(1_000) }]),
  );
  const bytes = Buffer.from(JSON.stringify({ name: 'a', versions }));
  let turns = 0;
  const others = setInterval(() => {
    turns += 1;
  }, 1);
  await readPackument(bytes, 'a');
  clearInterval(others);
  expect(turns).toBeGreaterThan(2);
});

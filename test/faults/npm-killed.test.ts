import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../shared/storage/store.ts';
import { verifyStore } from '../../shared/storage/store-verify.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { type BuiltPackage, buildPackage } from '../support/npm-packages.ts';
import { Publisher, publishBody } from '../support/npm-publishing.ts';
import { larder, spawnLarder } from '../support/spawn-larder.ts';

const NAME = '@acme/app';

let folder: { path: string; remove(): Promise<void> };
let store: string;
let secret: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = join(folder.path, 'store');
  const made = await larder(['token', 'create', 'ci', '--write', '--service', 'npm', '--store', store]);
  secret = made.stdout.trim();
});
afterEach(() => folder.remove());

/** One service is enough, and is up sooner. */
const start = () =>
  spawnLarder({
    store,
    env: {
      AIRGAPPED_MODE: 'true',
      ...Object.fromEntries(
        ['PYPI', 'HUGGINGFACE', 'NGC', 'OCI', 'S3'].map((name) => [`LARDER_${name}_ENABLED`, 'false']),
      ),
    },
  });

/** Nothing torn: every blob is what it is called, every name has its bytes. */
async function expectWhole(): Promise<void> {
  const opened = await openStore(store, { now: Date.now });
  const result = await verifyStore(opened);
  await opened.close();
  expect(result).toMatchObject({ corrupt: [], missing: [], damagedNames: [] });
}

/** What is listed is there, byte for byte, and what was said yes to is listed; `latest` is one of them. */
async function expectKept(ci: Publisher, all: readonly BuiltPackage[], acknowledged: ReadonlySet<string>) {
  const { status, json } = await ci.get(`/${NAME.replace('/', '%2f')}`);
  const versions = Object.keys(json.versions ?? {});
  expect(status === 200 || acknowledged.size === 0).toBe(true);
  for (const version of acknowledged) expect(versions).toContain(version);
  for (const version of versions) {
    const built = all.find((one) => one.version === version)!;
    const { bytes } = await ci.bytes(`/${NAME}/-/${built.filename}`);
    expect(bytes.equals(built.bytes), version).toBe(true);
    expect(json.versions[version].dist.integrity).toBe(built.integrity);
  }
  if (versions.length > 0) expect(versions).toContain(json['dist-tags'].latest);
  return versions;
}

describe('kill -9', () => {
  test('at many points of publishing loses nothing that was acknowledged, and leaves no version in part', async () => {
    const files = { 'data.bin': Buffer.alloc(300_000, 7) };
    const all = Array.from({ length: 24 }, (_, number) =>
      buildPackage({ name: NAME, version: `1.${number}.0`, files: { ...files, 'n.txt': String(number) } }),
    );
    const acknowledged = new Set<string>();
    let cut = 0;
    for (const moment of [20, 40, 70, 110, 160, 230, 320]) {
      const server = await start();
      const ci = new Publisher(server.urls.npm!, secret);
      const left = all.filter(({ version }) => !acknowledged.has(version));
      const publishing = Promise.allSettled(
        left.map(async (built) => {
          const { status } = await ci.put(publishBody(built));
          // what was whole when we died is there already: npm says so, and it is
          expect([201, 409]).toContain(status);
          acknowledged.add(built.version);
        }),
      );
      await new Promise((done) => setTimeout(done, moment));
      await server.kill();
      cut += (await publishing).filter(({ status }) => status === 'rejected').length;
      await expectWhole();
      const next = await start();
      await expectKept(new Publisher(next.urls.npm!, secret), all, acknowledged);
      await next.stop();
    }
    expect(cut).toBeGreaterThan(20);
    const last = await start();
    const ci = new Publisher(last.urls.npm!, secret);
    for (const built of all) expect([201, 409]).toContain((await ci.put(publishBody(built))).status);
    const versions = await expectKept(ci, all, new Set(all.map(({ version }) => version)));
    expect(versions).toHaveLength(all.length);
    await last.stop();
    await expectWhole();
    expect(await readdir(join(store, 'spool'))).toEqual([]);
  }, 300_000);

  test('at many points of taking back leaves a version that is there, or gone with its tarball', async () => {
    const all = Array.from({ length: 8 }, (_, number) => buildPackage({ name: NAME, version: `1.${number}.0` }));
    const first = await start();
    for (const built of all) await new Publisher(first.urls.npm!, secret).put(publishBody(built));
    await first.stop();
    const gone = new Set<string>();
    for (const [number, moment] of [3, 6, 10, 15, 25, 40].entries()) {
      const { version } = all[number]!;
      const server = await start();
      const ci = new Publisher(server.urls.npm!, secret);
      const { json: seen } = await ci.get(`/${NAME}?write=true`);
      delete seen.versions[version];
      const takenBack = ci.send('PUT', `/${NAME.replace('/', '%2f')}/-rev/${seen._rev}`, seen).catch(() => undefined);
      await new Promise((done) => setTimeout(done, moment));
      await server.kill();
      if ((await takenBack)?.status === 201) gone.add(version);
      await expectWhole();
      const next = await start();
      const again = new Publisher(next.urls.npm!, secret);
      const versions = await expectKept(again, all, new Set());
      for (const one of gone) expect(versions).not.toContain(one);
      for (const built of all)
        if (!versions.includes(built.version))
          expect((await again.bytes(`/${NAME}/-/${built.filename}`)).status, built.version).toBe(404);
      await next.stop();
    }
  }, 300_000);
});

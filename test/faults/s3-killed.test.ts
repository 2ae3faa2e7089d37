import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../shared/storage/store.ts';
import { verifyStore } from '../../shared/storage/store-verify.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { S3Load } from '../support/s3-load.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

/** More of them for who has time: `LARDER_TEST_KILLS=100`. */
const ROUNDS = Number(process.env.LARDER_TEST_KILLS ?? 8);
const Bucket = 'killed';

let folder: { path: string; remove(): Promise<void> };
let store: string;
let credentials: { accessKeyId: string; secretAccessKey: string };

beforeEach(async () => {
  folder = await temporaryFolder();
  store = join(folder.path, 'store');
  const made = await larder(['token', 'create', 'ci', '--write', '--s3', '--store', store]);
  const [accessKeyId = '', secretAccessKey = ''] = made.stdout.trim().split('\n');
  credentials = { accessKeyId, secretAccessKey };
});
afterEach(() => folder.remove());

const start = () => spawnLarder({ store, env: { AIRGAPPED_MODE: 'true' } });

/** Nothing torn, nothing left over: every blob is what it is called, every name has its bytes, every part its upload. */
async function expectWhole(): Promise<void> {
  for (const place of ['spool', 'tmp']) expect(await readdir(join(store, place)).catch(() => [])).toEqual([]);
  const opened = await openStore(store, { now: Date.now });
  const result = await verifyStore(opened);
  const catalog = opened.catalog('s3');
  const uploads = new Set((await catalog.keys('upload/')).map((key) => key.split('/')[2]));
  const stray = (await catalog.keys('part/')).filter((key) => !uploads.has(key.split('/')[1]));
  await opened.close();
  expect(result).toMatchObject({ corrupt: [], missing: [], damagedNames: [] });
  expect(stray).toEqual([]);
}

/** Writes until it is killed, looks at what became of it, and again. @returns the server of the last look */
async function killed(
  load: S3Load,
  work: ((load: S3Load) => Promise<unknown>)[],
  look: () => Promise<void>,
): Promise<SpawnedLarder> {
  let server = await start();
  await load.connect(server.urls.s3!, credentials).send(new CreateBucketCommand({ Bucket }));
  await load.put(100_000, 'base');
  for (let round = 0; round < ROUNDS; round += 1) {
    const gone = new AbortController();
    const working = work.map((act) => load.until(gone.signal, () => act(load)));
    const moment = Math.round(20 + Math.random() * 600);
    await new Promise((done) => setTimeout(done, moment));
    gone.abort();
    await server.kill();
    await Promise.all(working);
    server = await start();
    load.connect(server.urls.s3!, credentials);
    expect(await load.wrong(), `killed after ${moment} ms`).toEqual([]);
    await look();
    await expectWhole();
  }
  return server;
}

describe('kill -9', () => {
  test(
    'in the middle of puts, copies and deletions loses nothing that was acknowledged, and leaves nothing torn',
    async () => {
      const load = new S3Load(Bucket);
      const work = [
        () => load.put(4096),
        () => load.put(200),
        () => load.put(6 << 20),
        () => load.put(3000, 'the same'),
        () => load.copy('base'),
        () => load.deleteMany(10),
      ];
      const server = await killed(load, work, async () => undefined);
      expect(load.cut).toBeGreaterThan(ROUNDS);
      await server.stop();
      expect(await larder(['store', 'verify', '--store', store])).toMatchObject({ code: 0 });
    },
    ROUNDS * 60_000,
  );

  test(
    'in the middle of parts and completions leaves uploads that go on, and a completion answers again as it did',
    async () => {
      const load = new S3Load(Bucket);
      const small = () => load.upload([1000]);
      const work = [small, small, () => load.upload([5 << 20, 100]), () => load.upload([5 << 20, 5 << 20, 1])];
      const server = await killed(load, work, async () => {
        const again = load.completions.splice(0);
        for (const completion of again.slice(-40)) {
          const etag = await load.complete(completion);
          expect(etag).toBe(completion.etag ?? etag);
          expect(await load.complete(completion)).toBe(etag);
          expect(await load.read(completion.Key)).toBe(completion.hash);
          load.acknowledged.set(completion.Key, completion.hash);
        }
      });
      expect(load.cut).toBeGreaterThan(ROUNDS);
      await server.stop();
      expect(await larder(['store', 'verify', '--store', store])).toMatchObject({ code: 0 });
    },
    ROUNDS * 60_000,
  );
});

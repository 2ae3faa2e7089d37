import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../shared/model/digest.ts';
import { S3Store } from '../../shared/storage/s3-store.ts';
import { openStore } from '../../shared/storage/store.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';
import { ACCESS_KEY, type Engine, SECRET_KEY, startMinio, startVersitygw } from '../support/engines.ts';
import { startSeaweedfs, weedProgram } from '../support/seaweedfs.ts';

const credentials = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };

async function makeBucket(engine: Engine, name: string): Promise<void> {
  const client = new S3Client({ endpoint: engine.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  client.destroy();
}

const optionsOf = (engine: Engine, bucket: string) => ({
  bucket,
  prefix: 'larder/',
  endpoint: engine.endpoint,
  region: 'us-east-1',
  ...credentials,
});

/** The suite of every object store, over a bucket of an engine that is started for it. */
function engineConformance(
  start: () => Promise<Engine>,
  name: string,
  options: Parameters<typeof objectStoreConformance>[2],
): void {
  const open = async () => {
    const engine = await start();
    await makeBucket(engine, 'conformance');
    const store = await S3Store.open(optionsOf(engine, 'conformance'));
    const close = async () => {
      await store.close();
      await engine.close();
    };
    return { store, close };
  };
  objectStoreConformance(`a bucket of ${name}`, open, options);
}

// versitygw's folders: a condition is looked at before the write, not with it
engineConformance(startVersitygw, 'versitygw', { atomicConditions: false });
engineConformance(startMinio, 'MinIO', {});
// where there is one: the module proxy offers no version to build
const weed = weedProgram();
if (weed) engineConformance(() => startSeaweedfs(weed), 'SeaweedFS', { listsByFolder: true });

const engines: [name: string, start: () => Promise<Engine>][] = [
  ['versitygw', startVersitygw],
  ...(weed ? [['SeaweedFS', () => startSeaweedfs(weed)] as [string, () => Promise<Engine>]] : []),
];

describe.each(engines)('a store on %s', (_name, start) => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await start();
    await makeBucket(engine, 'site');
  });

  afterAll(async () => {
    await engine.close();
  });

  const location = () => `s3://site/larder?endpoint=${engine.endpoint}`;

  test('large blobs go in parts and come back as they were', async () => {
    const store = await openStore(location(), { now: Date.now, credentials });
    const bytes = randomBytes(40 << 20);
    const digest = digestOf(bytes);
    await store.blobs.put(digest, bytes.length, Readable.from([bytes.subarray(0, 5 << 20), bytes.subarray(5 << 20)]));
    expect((await store.blobs.read(digest, bytes.length)).equals(bytes)).toBe(true);
    const part = Buffer.concat(await (await store.blobs.open(digest, { start: 9_000_000, end: 9_000_099 })).toArray());
    expect(part).toEqual(bytes.subarray(9_000_000, 9_000_100));
    await store.close();
  });

  test('a blob that is not what it should be leaves nothing', async () => {
    const store = await openStore(location(), { now: Date.now, credentials });
    const digest = digestOf('something else');
    const put = store.blobs.put(digest, 20 << 20, Readable.from([randomBytes(20 << 20)]));
    await expect(put).rejects.toMatchObject({ kind: 'corrupt' });
    expect(await store.blobs.size(digest)).toBeUndefined();
    await store.close();
  });

  test('two replicas see the names of each other', async () => {
    const [one, other] = await Promise.all([
      openStore(location(), { now: Date.now, credentials }),
      openStore(location(), { now: Date.now, credentials }),
    ]);
    const bytes = Buffer.from('shared');
    await one.blobs.put(digestOf(bytes), bytes.length, Readable.from([bytes]));
    const at = new Date().toISOString();
    const entry = {
      key: 'x/../y',
      digest: digestOf(bytes),
      size: bytes.length,
      mediaType: 'text/plain',
      headers: {},
      origin: 'upload',
      storedAt: at,
      checkedAt: at,
    };
    expect(await one.catalog('notes').put(entry, { ifAbsent: true })).toBe(true);
    expect(await other.catalog('notes').get('x/../y')).toMatchObject({ digest: entry.digest });
    expect(await other.catalog('notes').put(entry, { ifAbsent: true })).toBe(false);
    await Promise.all([one.close(), other.close()]);
  });

  test('wrong keys and a missing bucket are told in words', async () => {
    const wrong = openStore(location(), {
      now: Date.now,
      credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: 'wrong' },
    });
    await expect(wrong).rejects.toThrow(/refuses our keys/);
    const missing = openStore(`s3://nowhere?endpoint=${engine.endpoint}`, { now: Date.now, credentials });
    await expect(missing).rejects.toThrow(/no such bucket/);
  });

  test('an engine that was killed is an error in words, and a restart is enough', async () => {
    const store = await openStore(location(), { now: Date.now, credentials });
    await engine.kill();
    await expect(store.check()).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(store.blobs.put(digestOf('x'), 1, Readable.from([Buffer.from('x')]))).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await engine.restart();
    await store.blobs.put(digestOf('x'), 1, Readable.from([Buffer.from('x')]));
    expect(await store.blobs.size(digestOf('x'))).toBe(1);
    await store.close();
  });
});

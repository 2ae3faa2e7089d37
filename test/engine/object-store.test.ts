import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../shared/model/digest.ts';
import { openStore } from '../../shared/storage/store.ts';
import {
  ACCESS_KEY,
  CREDENTIALS as credentials,
  type Engine,
  makeBucket,
  startMinio,
  startVersitygw,
} from '../support/engines.ts';
import { startSeaweedfs } from '../support/seaweedfs.ts';
import { engineConformance } from './engine-conformance.ts';

// versitygw's folders: a condition is looked at before the write, not with it
engineConformance(startVersitygw, 'versitygw', { atomicConditions: false });
engineConformance(startMinio, 'MinIO');

const engines: [name: string, start: () => Promise<Engine>][] = [
  ['versitygw', startVersitygw],
  ['SeaweedFS', startSeaweedfs],
];

describe.each(engines)('a store on %s', (_name, start) => {
  let engine: Engine;
  let location: string;

  beforeAll(async () => {
    engine = await start();
    location = await makeBucket(engine, 'site');
  });

  afterAll(async () => {
    await engine.close();
  });

  test('large blobs go in parts and come back as they were', async () => {
    const store = await openStore(location, { now: Date.now, credentials });
    const bytes = randomBytes(40 << 20);
    const digest = digestOf(bytes);
    await store.blobs.put(digest, bytes.length, Readable.from([bytes.subarray(0, 5 << 20), bytes.subarray(5 << 20)]));
    expect((await store.blobs.read(digest, bytes.length)).equals(bytes)).toBe(true);
    const part = Buffer.concat(await (await store.blobs.open(digest, { start: 9_000_000, end: 9_000_099 })).toArray());
    expect(part).toEqual(bytes.subarray(9_000_000, 9_000_100));
    await store.close();
  });

  test('a blob that is not what it should be leaves nothing', async () => {
    const store = await openStore(location, { now: Date.now, credentials });
    const digest = digestOf('something else');
    const put = store.blobs.put(digest, 20 << 20, Readable.from([randomBytes(20 << 20)]));
    await expect(put).rejects.toMatchObject({ kind: 'corrupt' });
    expect(await store.blobs.size(digest)).toBeUndefined();
    await store.close();
  });

  test('two replicas see the names of each other', async () => {
    const [one, other] = await Promise.all([
      openStore(location, { now: Date.now, credentials }),
      openStore(location, { now: Date.now, credentials }),
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
    const wrong = openStore(location, {
      now: Date.now,
      credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: 'wrong' },
    });
    await expect(wrong).rejects.toThrow(/refuses our keys/);
    const missing = openStore(`s3://nowhere?endpoint=${engine.endpoint}`, { now: Date.now, credentials });
    await expect(missing).rejects.toThrow(/no such bucket/);
  });

  test('an engine that was killed is an error in words, and a restart is enough', async () => {
    const store = await openStore(location, { now: Date.now, credentials });
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

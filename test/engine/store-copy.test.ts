import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSource, openStore } from '../../shared/storage/store.ts';
import { copyStore } from '../../shared/storage/store-copy.ts';
import { verifyStore } from '../../shared/storage/store-verify.ts';
import { keep, storeIn, temporaryFolder } from '../support/bundles.ts';
import { ACCESS_KEY, type Engine, SECRET_KEY, startVersitygw } from '../support/engines.ts';
import { larder } from '../support/spawn-larder.ts';

const credentials = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
const env = { LARDER_STORE_ACCESS_KEY: ACCESS_KEY, LARDER_STORE_SECRET_KEY: SECRET_KEY };

describe('larder store copy with versitygw', () => {
  let engine: Engine;
  let folder: { path: string; remove(): Promise<void> };

  beforeAll(async () => {
    engine = await startVersitygw();
    folder = await temporaryFolder();
    const client = new S3Client({ endpoint: engine.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    for (const Bucket of ['first', 'second']) await client.send(new CreateBucketCommand({ Bucket }));
    client.destroy();
  });

  afterAll(async () => {
    await engine?.close();
    await folder?.remove();
  });

  test('a directory goes to a bucket, on to another one, and comes back whole', async () => {
    const store = await storeIn(folder.path, 'from');
    const large = await keep(store, 'pypi', 'file/large', randomBytes(40 << 20));
    for (let place = 0; place < 300; place += 1)
      await keep(store, 'notes', `file/${place}`, Buffer.from(`number ${place}`));
    await store.close();
    const [first, second] = ['first', 'second'].map((name) => `s3://${name}/larder?endpoint=${engine.endpoint}`);
    const [from, back] = [join(folder.path, 'from'), join(folder.path, 'back')];

    const there = await larder(['store', 'copy', from, first!], { env });
    expect([there.code, there.stdout]).toEqual([0, expect.stringContaining('blobs    301 copied')]);
    const again = await larder(['store', 'copy', from, first!], { env });
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('names    0 copied, 301 were there')]);
    expect(await larder(['store', 'copy', first!, second!], { env })).toMatchObject({ code: 0 });
    expect(await larder(['store', 'copy', second!, back], { env })).toMatchObject({ code: 0 });

    const copied = await openStore(back, { now: Date.now });
    expect(await verifyStore(copied)).toMatchObject({ ok: true, unreferenced: [] });
    expect(await copied.catalog('pypi').get('file/large')).toEqual(large);
    expect(await copied.catalog('notes').keys()).toHaveLength(300);
    await copied.close();
  });

  test('what was damaged in a bucket is named and not copied', async () => {
    const store = await openStore(`s3://first/damage?endpoint=${engine.endpoint}`, { now: Date.now, credentials });
    const bad = await keep(store, 'notes', 'file/bad', Buffer.from('as it was'));
    await keep(store, 'notes', 'file/good', Buffer.from('as it is'));
    await store.objects.put(`blobs/sha256/${bad.digest.slice(7)}`, Buffer.from('something'));
    await store.close();
    const source = await openSource(`s3://first/damage?endpoint=${engine.endpoint}`, { credentials });
    const target = await openStore('memory:', { now: Date.now });
    const result = await copyStore(source, target);
    expect(result).toMatchObject({ ok: false, names: { copied: 1 } });
    expect(result.corrupt).toMatchObject([{ digest: bad.digest, names: ['notes file/bad'] }]);
    await source.close();
    await target.close();
  });
});

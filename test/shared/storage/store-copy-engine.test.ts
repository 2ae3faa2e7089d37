import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openSource, openStore, type Store } from '../../../shared/storage/store.ts';
import { copyStore } from '../../../shared/storage/store-copy.ts';
import { verifyStore } from '../../../shared/storage/store-verify.ts';
import { KEY, type Site, startSite } from '../../services/s3/support.ts';
import { keep } from '../../support/bundles.ts';
import { startCuttingLine } from '../../support/cutting-line.ts';
import { opened, scratch } from './support.ts';

const READER = { accessKeyId: 'reader', secretAccessKey: 'reader-secret' };
const OTHER = { accessKeyId: 'other', secretAccessKey: 'other-secret' };

/** Another Larder's S3 face is the engine. */
let site: Site;
let elsewhere: Site;

beforeAll(async () => {
  site = await startSite({ keys: [KEY, { ...READER, actions: ['read'] }] });
  elsewhere = await startSite({ keys: [OTHER] });
  for (const [at, credentials] of [
    [site, KEY],
    [elsewhere, OTHER],
  ] as const)
    await at.client({ credentials }).send(new CreateBucketCommand({ Bucket: 'store' }));
});

afterAll(async () => {
  await site?.close();
  await elsewhere?.close();
});

async function openAt(location: string, credentials = KEY): Promise<Store> {
  const store = await openStore(location, { now: Date.now, credentials, withoutLists: true });
  onTestFinished(() => store.close());
  return store;
}

async function sourceAt(location: string, credentials = KEY) {
  const source = await openSource(location, { credentials });
  onTestFinished(() => source.close());
  return source;
}

/** A directory with names, and one blob that goes in several parts. */
async function furnished(): Promise<{ store: Store; large: Buffer }> {
  const store = await opened(join(await scratch(), 'store'));
  const large = randomBytes(20 << 20);
  await keep(store, 'pypi', 'file/large', large);
  for (let place = 0; place < 10; place += 1) await keep(store, 'notes', `file/${place}`, Buffer.from(`${place}`));
  return { store, large };
}

describe('a store over an engine', () => {
  test('comes from a directory, goes to another engine with keys of its own, and back into a directory', async () => {
    const { store, large } = await furnished();
    const bucket = `s3://store/round?endpoint=${site.url}`;
    const first = await openAt(bucket);
    expect(await copyStore(store, first)).toMatchObject({ ok: true, blobs: { copied: 11 }, names: { copied: 11 } });
    expect(await copyStore(store, first)).toMatchObject({ ok: true, blobs: { copied: 0 }, names: { copied: 0 } });

    const second = await openAt(`s3://store/other?endpoint=${elsewhere.url}`, OTHER);
    expect(await copyStore(await sourceAt(bucket), second)).toMatchObject({ ok: true, blobs: { copied: 11 } });

    const back = await opened(join(await scratch(), 'back'));
    expect(await copyStore(second, back)).toMatchObject({ ok: true, names: { copied: 11 } });
    expect(await verifyStore(back)).toMatchObject({ ok: true, unreferenced: [] });
    const { digest } = (await back.catalog('pypi').get('file/large'))!;
    expect((await back.blobs.read(digest, large.length)).equals(large)).toBe(true);
    expect(await back.catalog('notes').keys()).toHaveLength(10);
  });

  test('is read with keys that may only read', async () => {
    const { store } = await furnished();
    const bucket = `s3://store/read-only?endpoint=${site.url}`;
    await copyStore(store, await openAt(bucket));
    const target = await opened('memory:');
    expect(await copyStore(await sourceAt(bucket, READER), target)).toMatchObject({ ok: true, blobs: { copied: 11 } });
  });

  test('is the same store under every address of its engine', async () => {
    const bucket = `s3://store/same?endpoint=${site.url}`;
    const store = await openAt(bucket);
    const again = await sourceAt(bucket.replace('127.0.0.1', 'localhost'));
    await expect(copyStore(again, store)).rejects.toThrow(/are the same store/);
    // a folder of the bucket further on is another one
    expect(await copyStore(again, await openAt(`s3://store/same/inside?endpoint=${site.url}`))).toMatchObject({
      ok: true,
    });
  });

  test('is gone on with where a line breaks', async () => {
    const { store, large } = await furnished();
    await copyStore(store, await openAt(`s3://store/line?endpoint=${site.url}`));
    const line = await startCuttingLine(site.url, { after: 6 << 20, cuts: 2 });
    onTestFinished(() => line.close());
    const target = await opened('memory:');
    const source = await sourceAt(`s3://store/line?endpoint=${line.url}`);
    let read = 0;
    const onProgress = ({ step, bytes }: { step: string; bytes: number }) => {
      if (step === 'blobs') read = bytes;
    };
    expect(await copyStore(source, target, { onProgress })).toMatchObject({ ok: true, blobs: { copied: 11 } });
    expect(line.cuts()).toBe(2);
    // nothing was read twice
    expect(read).toBe(large.length + 10);
    expect(await verifyStore(target)).toMatchObject({ ok: true });
  });

  test('that is no longer there ends the copy, and no blob is called damaged for it', async () => {
    const { store } = await furnished();
    await copyStore(store, await openAt(`s3://store/away?endpoint=${site.url}`));
    const line = await startCuttingLine(site.url, { after: 6 << 20, cuts: 1, forGood: true });
    onTestFinished(() => line.close());
    const source = await sourceAt(`s3://store/away?endpoint=${line.url}`);
    const copying = copyStore(source, await opened('memory:'));
    await expect(copying).rejects.toMatchObject({ kind: 'unavailable' });
  });
});

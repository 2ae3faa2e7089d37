import { createHash, randomBytes } from 'node:crypto';
import { access, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../shared/model/digest.ts';
import { BlobStore } from '../../../shared/storage/blob-store.ts';
import { MemoryStore } from '../../../shared/storage/memory-store.ts';
import { blobPath } from '../../../shared/storage/paths.ts';
import type { Store } from '../../../shared/storage/store.ts';
import { opened, scratch } from './support.ts';

const MIB = 1 << 20;

function streamOf(bytes: Buffer, chunk = 64 * 1024): Readable {
  function* pieces(): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  }
  return Readable.from(pieces(), { objectMode: false });
}

async function held(store: Store): Promise<string[]> {
  return (await Array.fromAsync(store.blobs.list())).map(({ digest }) => digest);
}

describe.each(['memory:', 'directory'])('blobs in %s', (kind) => {
  const open = async () => opened(kind === 'directory' ? join(await scratch(), 'store') : kind);

  test('bytes that are what they are called are kept, and read whole or in part', async () => {
    const { blobs } = await open();
    const bytes = randomBytes(3 * MIB + 1);
    const digest = digestOf(bytes);
    await blobs.put(digest, bytes.length, streamOf(bytes));
    expect(await blobs.size(digest)).toBe(bytes.length);
    expect(bytes.equals(await blobs.read(digest, bytes.length))).toBe(true);
    const part = Buffer.concat(await (await blobs.open(digest, { start: MIB, end: MIB + 9 })).toArray());
    expect(part.equals(bytes.subarray(MIB, MIB + 10))).toBe(true);
    await expect(blobs.read(digest, bytes.length - 1)).rejects.toMatchObject({ kind: 'too-large' });
    await blobs.delete(digest);
    expect(await blobs.size(digest)).toBeUndefined();
    await expect(blobs.open(digest)).rejects.toMatchObject({ kind: 'corrupt' });
  });

  test.each([
    [
      'one byte is another',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])]),
    ],
    ['it is cut short', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['it is too long', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
    ['it is empty', () => Buffer.alloc(0)],
  ])('nothing is kept when %s', async (_word, spoil) => {
    const store = await open();
    const bytes = randomBytes(200_000);
    const put = store.blobs.put(digestOf(bytes), bytes.length, streamOf(spoil(bytes)));
    await expect(put).rejects.toMatchObject({ kind: expect.stringMatching(/corrupt|internal/) });
    expect(await held(store)).toEqual([]);
  });

  test('what is held is not read again, and the body is closed', async () => {
    const { blobs } = await open();
    const digest = digestOf('held');
    await blobs.put(digest, 4, streamOf(Buffer.from('held')));
    const body = new Readable({ read: () => expect.unreachable('it was read') });
    await blobs.put(digest, 4, body);
    expect(body.destroyed).toBe(true);
  });

  test('a blob that something else cut short is written again', async () => {
    const store = await open();
    const bytes = randomBytes(100_000);
    await store.objects.put(blobPath(digestOf(bytes)), bytes.subarray(0, 50));
    await store.blobs.put(digestOf(bytes), bytes.length, streamOf(bytes));
    expect(bytes.equals(await store.blobs.read(digestOf(bytes), bytes.length))).toBe(true);
  });

  test('many who bring the same bytes at once leave them once, and nothing in the spool', async () => {
    const store = await open();
    const bytes = randomBytes(2 * MIB);
    const found = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        at % 2 === 0
          ? store.blobs.ingest(streamOf(bytes), { subject: 'file' })
          : store.blobs.put(digestOf(bytes), bytes.length, streamOf(bytes)),
      ),
    );
    expect(found[0]).toMatchObject({ digest: digestOf(bytes), size: bytes.length });
    expect(await held(store)).toEqual([digestOf(bytes)]);
    expect(await readdir(store.blobs.spoolDir)).toEqual([]);
  });

  test('what arrives is measured against every promise, and not kept when one is broken', async () => {
    const store = await open();
    const bytes = randomBytes(70_000);
    const sha512 = createHash('sha512').update(bytes).digest('hex');
    const bring = (promised: object[]) => store.blobs.ingest(streamOf(bytes), { subject: 'file', promised });
    await expect(bring([{ sha512 }, { size: 69_999 }])).rejects.toMatchObject({ kind: 'corrupt', subject: 'file' });
    await expect(bring([{ sha512: sha512.replace(/./g, '0') }])).rejects.toMatchObject({ kind: 'corrupt' });
    expect(await held(store)).toEqual([]);
    expect(await bring([{ sha512 }, { size: 70_000 }])).toMatchObject({ digest: digestOf(bytes), size: 70_000 });
    expect(await readdir(store.blobs.spoolDir)).toEqual([]);
  });

  test('an upload that breaks off, or that nobody wants any more, leaves nothing', async () => {
    const store = await open();
    const broken = Readable.from(
      (async function* () {
        yield Buffer.alloc(100_000);
        throw new Error('the client hung up');
      })(),
    );
    await expect(store.blobs.ingest(broken, { subject: 'file' })).rejects.toThrow();
    const stuck = new Readable({ read() {} });
    stuck.push(Buffer.alloc(10));
    const signal = AbortSignal.timeout(30);
    await expect(store.blobs.ingest(stuck, { subject: 'file', signal })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    expect(stuck.destroyed).toBe(true);
    expect(await held(store)).toEqual([]);
    expect(await readdir(store.blobs.spoolDir)).toEqual([]);
  });

  test('a measured file is taken over, and is gone also when its bytes were here', async () => {
    const store = await open();
    for (let turn = 0; turn < 2; turn += 1) {
      const path = join(store.blobs.spoolDir, 'measured');
      await writeFile(path, 'measured');
      await store.blobs.putFile(digestOf('measured'), 8, path);
      await expect(access(path)).rejects.toThrow();
    }
    expect((await store.blobs.read(digestOf('measured'), 8)).toString()).toBe('measured');
  });
});

test('old bytes that are offered again look new, so that no garbage collection takes them', async () => {
  const root = join(await scratch(), 'store');
  const store = await opened(root);
  const digest = digestOf('old');
  await store.blobs.put(digest, 3, streamOf(Buffer.from('old')));
  await utimes(join(root, blobPath(digest)), new Date(0), new Date(0));
  await store.blobs.put(digest, 3, streamOf(Buffer.from('old')));
  const [blob] = await Array.fromAsync(store.blobs.list());
  expect(Date.now() - blob!.modified.getTime()).toBeLessThan(60_000);
});

test('a blob that was there is believed to be there for a while, and no longer than told', async () => {
  let now = 1_000_000;
  const objects = new MemoryStore();
  const blobs = new BlobStore(objects, { spoolDir: '', believe: 3000, now: () => now });
  const digest = digestOf('bytes');
  expect(await blobs.isHeld(digest)).toBe(false);
  // absence is not remembered
  await blobs.put(digest, 5, Readable.from([Buffer.from('bytes')]));
  expect(await blobs.isHeld(digest)).toBe(true);
  await objects.delete(blobPath(digest));
  now += 2999;
  expect(await blobs.isHeld(digest)).toBe(true);
  now += 1;
  expect(await blobs.isHeld(digest)).toBe(false);
  await blobs.put(digest, 5, Readable.from([Buffer.from('bytes')]));
  expect(await blobs.isHeld(digest)).toBe(true);
  await blobs.delete(digest);
  expect(await blobs.isHeld(digest)).toBe(false);
});

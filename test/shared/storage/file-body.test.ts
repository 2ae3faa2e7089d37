import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { FileBody } from '../../../shared/storage/file-body.ts';
import { temporaryFolder } from '../../support/bundles.ts';

const MiB = 1 << 20;
const bytes = randomBytes(3 * MiB + 17);
let folder: { path: string; remove(): Promise<void> };
let path: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  path = join(folder.path, 'blob');
  await writeFile(path, bytes);
});
afterAll(() => folder.remove());

const bodyOf = async (start: number, end: number) => new FileBody(await open(path), { start, end });
const sha256 = (parts: Buffer | Buffer[]) =>
  createHash('sha256')
    .update(Buffer.isBuffer(parts) ? parts : Buffer.concat(parts))
    .digest('hex');

const ranges: [start: number, end: number][] = [
  [0, 0],
  [0, MiB - 1],
  [0, MiB],
  [5, 2 * MiB + 4],
  [0, bytes.length - 1],
  [bytes.length - 1, bytes.length - 1],
];

test.each(ranges)('as a stream it gives bytes %i to %i', async (start, end) => {
  const read = (await (await bodyOf(start, end)).toArray()) as Buffer[];
  expect(sha256(read)).toBe(sha256(bytes.subarray(start, end + 1)));
});

test.each(ranges)('it writes bytes %i to %i itself', async (start, end) => {
  const parts: Buffer[] = [];
  await (await bodyOf(start, end)).writeTo(async (chunk) => void parts.push(Buffer.from(chunk)));
  expect(sha256(parts)).toBe(sha256(bytes.subarray(start, end + 1)));
});

test('a chunk stays as it is until its write is over, however slow the writer and however many there are', async () => {
  const writers = Array.from({ length: 80 }, async (_, index) => {
    const hash = createHash('sha256');
    const body = await bodyOf(index, bytes.length - 1);
    await body.writeTo(async (chunk) => {
      for (let turn = 0; turn < index % 7; turn += 1) await setImmediate();
      hash.update(chunk);
    });
    expect(hash.digest('hex')).toBe(sha256(bytes.subarray(index)));
  });
  await Promise.all(writers);
});

test('a writer that fails ends it, with the file closed', async () => {
  const file: FileHandle = await open(path);
  const closed = vi.spyOn(file, 'close');
  const writing = new FileBody(file, { start: 0, end: bytes.length - 1 }).writeTo(async () => {
    throw new Error('the client is gone');
  });
  await expect(writing).rejects.toThrow('the client is gone');
  await expect.poll(() => closed.mock.calls).toHaveLength(1);
});

test('a file that is shorter than it was is damage, told as such', async () => {
  const beyond = { start: bytes.length - 10, end: bytes.length + 5 };
  await expect((await bodyOf(beyond.start, beyond.end)).toArray()).rejects.toMatchObject({ kind: 'corrupt' });
  await expect((await bodyOf(beyond.start, beyond.end)).writeTo(async () => {})).rejects.toMatchObject({
    kind: 'corrupt',
  });
});

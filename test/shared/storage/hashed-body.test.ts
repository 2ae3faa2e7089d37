import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { writeSynced } from '../../../shared/storage/disk-files.ts';
import { HashedBody } from '../../../shared/storage/hashed-body.ts';
import { SideHashes } from '../../../shared/storage/side-hashes.ts';
import { scratch } from './support.ts';

const WISHES = [
  { name: 'sha256', algorithm: 'sha256' },
  { name: 'md5', algorithm: 'md5' },
  { name: 'crc', algorithm: 'crc32' },
  { name: 'git', algorithm: 'sha1', prefix: 'blob 1\0' },
];

function expected(bytes: Buffer): Map<string, string> {
  const hex = (algorithm: string, prefix = '') => createHash(algorithm).update(prefix).update(bytes).digest('hex');
  return new Map([
    ['sha256', hex('sha256')],
    ['md5', hex('md5')],
    ['crc', crc32(bytes).toString(16).padStart(8, '0')],
    ['git', hex('sha1', 'blob 1\0')],
  ]);
}

async function* cut(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  // each in memory of its own that is used again, as sockets' may be
  for (let at = 0; at < bytes.length; at += length) yield Buffer.from(bytes.subarray(at, at + length));
}

async function write(bytes: Buffer, length: number): Promise<{ written: Buffer; size: number; hashes: object }> {
  const path = join(await scratch(), 'body');
  const body = new HashedBody(WISHES);
  try {
    const whole = await body.whole(cut(bytes, length), 1000);
    if (!whole) await writeSynced(path, body.rest());
    return { written: whole ?? (await readFile(path)), ...(await body.finish()) };
  } finally {
    body.release();
  }
}

describe('a body that is hashed on its way', () => {
  test.each([
    ['nothing', 0, 1000],
    ['a little', 1000, 7],
    ['one more than a little', 1001, 7],
    ['a mebibyte to the byte', 1 << 20, 65_536],
    ['a byte more', (1 << 20) + 1, 65_536],
    ['many pieces, in odd chunks', 9_999_999, 65_531],
    ['chunks larger than a piece', 12_000_000, 3_000_001],
  ])('is written as it came, and its hashes are right: %s', async (_what, size, length) => {
    const bytes = randomBytes(size);
    const found = await write(bytes, length);
    expect(found.written.equals(bytes)).toBe(true);
    expect(found.size).toBe(size);
    expect(found.hashes).toEqual(expected(bytes));
  });

  test.each([true, false])('leaves chunks alone that others may have, and frees its own: %s', async (owned) => {
    const bytes = randomBytes(5_000_000);
    const length = 65_536;
    // a copy has memory of its own, a part has others beside it
    const copies = Array.from({ length: 77 }, (_, at) => {
      const copy = Buffer.alloc(Math.min(length, bytes.length - at * length));
      bytes.copy(copy, 0, at * length);
      return at % 2 ? copy : Buffer.concat([copy, Buffer.alloc(1)]).subarray(0, copy.length);
    });
    const path = join(await scratch(), 'body');
    const body = new HashedBody(WISHES, owned);
    try {
      await body.whole(Readable.from(copies), 1000);
      await writeSynced(path, body.rest());
      expect((await body.finish()).hashes).toEqual(expected(bytes));
    } finally {
      body.release();
    }
    expect((await readFile(path)).equals(bytes)).toBe(true);
    expect(copies.map(({ length }) => length > 0)).toEqual(copies.map((_, at) => !owned || at % 2 === 0));
  });

  test('is not mixed up with others, whether they have a thread or not', async () => {
    const all = Array.from({ length: 12 }, () => randomBytes(3_500_000));
    const found = await Promise.all(all.map((bytes, index) => write(bytes, 10_000 + index)));
    for (const [index, { written, hashes }] of found.entries()) {
      expect(written.equals(all[index]!)).toBe(true);
      expect(hashes).toEqual(expected(all[index]!));
    }
  });

  test('that breaks off leaves the threads to others', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield* cut(randomBytes(5_000_000), 65_536);
      throw new Error('cut');
    }
    const folder = await scratch();
    for (let count = 0; count < 20; count += 1) {
      const body = new HashedBody(WISHES);
      expect(await body.whole(broken(), 1000)).toBeUndefined();
      await expect(writeSynced(join(folder, `${count}`), body.rest())).rejects.toThrow('cut');
      body.release();
    }
    const lease = SideHashes.lease(WISHES);
    expect(lease).toBeDefined();
    lease!.release();
  });
});

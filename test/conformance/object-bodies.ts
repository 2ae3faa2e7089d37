import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect } from 'vitest';
import type { ObjectStore } from '../../shared/storage/object-store.ts';

export const MIB = 1 << 20;

/** Gives the store under test: inside a test or a hook, not before. */
export type Opened = () => ObjectStore;

/** A key that no other test uses; `''` gives a folder. */
export function fresh(name: string): string {
  return `conformance/${randomBytes(6).toString('hex')}/${name}`;
}

export function etagOf(outcome: { stored: boolean; etag?: string }): string {
  expect(outcome).toMatchObject({ stored: true, etag: expect.any(String) });
  return outcome.etag!;
}

export function streamOf(bytes: Buffer, chunk: number): Readable {
  function* pieces(): Generator<Buffer> {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  }
  return Readable.from(pieces(), { objectMode: false });
}

export function failing(after: number): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let sent = 0; sent < after; sent += 64 * 1024) yield Buffer.alloc(64 * 1024);
    throw new Error('the origin hung up');
  }
  return Readable.from(pieces(), { objectMode: false });
}

/** 2 MiB, the second half of which waits for `gate`. */
export function held(gate: Promise<void>): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(MIB);
    await gate;
    yield Buffer.alloc(MIB);
  }
  return Readable.from(pieces(), { objectMode: false });
}

export async function bytesOf(body: Readable): Promise<Buffer> {
  return Buffer.concat(await body.toArray());
}

export async function read(store: ObjectStore, key: string): Promise<Buffer> {
  const got = await store.get(key);
  expect(got, key).toBeDefined();
  return bytesOf(got!.body);
}

export async function keysUnder(store: ObjectStore, prefix: string, after?: string): Promise<string[]> {
  const listed = await Array.fromAsync(store.list(prefix, after));
  return listed.map(({ key }) => key);
}

export async function eachOf<T>(items: T[], width: number, act: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of rest) await act(item);
    }),
  );
}

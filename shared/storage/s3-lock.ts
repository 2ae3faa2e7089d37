import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { MirrorError } from '../model/errors.ts';
import type { ObjectStat, PutOutcome } from './object-store.ts';

/** How long a waiter waits. Milliseconds. */
const PATIENCE = 30_000;
/** How long a holder may take: who is looked at for so long is gone. By the waiter's own clock, not the engine's. */
const HELD = 10_000;

/** What a lock needs of the store that it is kept in. */
interface Locks {
  put(key: string, body: Buffer, options: { ifAbsent: true }): Promise<PutOutcome>;
  head(key: string): Promise<ObjectStat | undefined>;
  delete(key: string): Promise<boolean>;
}

/**
 * Lets one writer at a time replace an object under a condition. Not every engine looks and writes in one step for
 * If-Match (versitygw's folders do not); all that we take do for If-None-Match, which is what this lock is made of.
 */
export async function locked<T>(store: Locks, key: string, work: () => Promise<T>): Promise<T> {
  const lock = `locks/${key}`;
  const until = Date.now() + PATIENCE;
  let seen: { etag: string; since: number } | undefined;
  while (!(await store.put(lock, Buffer.from(randomUUID()), { ifAbsent: true })).stored) {
    const held = await store.head(lock);
    if (held?.etag !== seen?.etag) seen = held && { etag: held.etag, since: Date.now() };
    else if (seen && Date.now() - seen.since > HELD) await store.delete(lock);
    if (Date.now() > until) throw new MirrorError('unavailable', 'store', `${key} is being written by another`);
    await setTimeout(10 + Math.random() * 40);
  }
  try {
    return await work();
  } finally {
    await store.delete(lock);
  }
}

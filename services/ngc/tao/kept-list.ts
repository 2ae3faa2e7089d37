import { createHash } from 'node:crypto';
import { type LocalStore, rewriteBytes } from '../local-store.ts';
import { mergeEntries, type PtmEntry } from './entries.ts';
import { METADATA } from './keys.ts';

/** Keeps entries in the list that is published, over those of their ids that are in it. */
export async function keepEntries(store: LocalStore, entries: readonly PtmEntry[]): Promise<void> {
  await rewriteBytes(store, METADATA, async (before) => {
    const bytes = mergeEntries(before, entries);
    return { bytes, headers: {}, etag: `"${createHash('md5').update(bytes).digest('hex')}"` };
  });
}

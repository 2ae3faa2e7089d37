import { join } from 'node:path';
import { hashFile } from './hash-file.ts';
import { blobMember } from './layout.ts';
import { type OpenedBundle, openBundle } from './open.ts';
import { type BundleProgress, silent } from './progress.ts';

export interface VerifyReport {
  bundle: OpenedBundle;
  /** Files whose bytes are not what their lists say; empty when all is right. */
  damaged: { path: string; message: string }[];
}

/**
 * Reads a bundle whole and compares every byte's digest; goes on after a damaged file, so that all are named at once.
 * Throws as `openBundle` does when already its structure is wrong.
 * @param quick structure, lists and sizes only
 */
export async function verifyBundle(
  dir: string,
  options: { quick?: boolean; progress?: BundleProgress; signal?: AbortSignal } = {},
): Promise<VerifyReport> {
  const progress = options.progress ?? silent;
  progress.step('lists');
  const bundle = await openBundle(dir);
  const damaged: VerifyReport['damaged'] = [];
  if (options.quick) return { bundle, damaged };
  const files = [...bundle.others, ...[...bundle.blobs.keys()].map((hex) => [blobMember(hex), hex] as const)];
  progress.step('read', {
    count: files.length,
    bytes: [...bundle.blobs.values()].reduce((sum, size) => sum + size, 0),
  });
  for (const [path, sha256] of files) {
    options.signal?.throwIfAborted();
    const message = await problemOf(join(bundle.dir, path), sha256, options.signal);
    if (message) damaged.push({ path, message });
    progress.advance({ count: 1, bytes: bundle.blobs.get(sha256) ?? 0, label: path });
  }
  return { bundle, damaged };
}

async function problemOf(path: string, sha256: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const found = await hashFile(path, 0, { signal });
    return found.sha256 === sha256 ? undefined : `its sha256 is ${found.sha256}`;
  } catch (error) {
    signal?.throwIfAborted();
    return `it cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unexpected error'})`;
  }
}

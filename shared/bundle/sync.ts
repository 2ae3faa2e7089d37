import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { TAG_FILES, TAG_MANIFEST } from './layout.ts';

/** Makes the lists and the folders of a bundle safe against power loss; blobs were synced when they were written. */
export async function syncTree(dir: string): Promise<void> {
  for (const name of [...TAG_FILES, TAG_MANIFEST]) await syncFolder(join(dir, name));
  for (const folder of ['data/blobs/sha256', 'data/blobs', 'data', 'index', '']) await syncFolder(join(dir, folder));
}

/** fsync of a folder or a file: a rename is safe only when its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

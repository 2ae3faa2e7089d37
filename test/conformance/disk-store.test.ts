import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskStore } from '../../shared/storage/disk-store.ts';
import { objectStoreConformance } from './object-store.ts';

objectStoreConformance('a directory', async () => {
  const root = await mkdtemp(join(tmpdir(), 'larder-disk-'));
  const store = await DiskStore.open(root);
  return {
    store,
    async close() {
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
});

import { MemoryStore } from '../../shared/storage/memory-store.ts';
import { objectStoreConformance } from './object-store.ts';

objectStoreConformance('memory', async () => {
  const store = new MemoryStore();
  return { store, close: () => store.close() };
});

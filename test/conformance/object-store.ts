import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../shared/storage/object-store.ts';
import { fresh, held, MIB, read } from './object-bodies.ts';
import { listConformance } from './object-store-lists.ts';
import { putConformance } from './object-store-puts.ts';
import { raceConformance } from './object-store-races.ts';

/**
 * What every ObjectStore must do, whatever lies beneath it. Opened once; each test keeps to keys of its own.
 *
 * @param open gives the store, and a function that ends it and what it stands on
 * @param options.atomicConditions false for an engine that does not decide a race of conditional puts
 * @param options.listsByFolder true for an engine that lists folder by folder
 */
export function objectStoreConformance(
  name: string,
  open: () => Promise<{ store: ObjectStore; close(): Promise<void> }>,
  options: { atomicConditions?: boolean; listsByFolder?: boolean } = {},
): void {
  describe(`${name} as an object store`, () => {
    let found: { store: ObjectStore; close(): Promise<void> };
    const opened = () => found.store;

    beforeAll(async () => {
      found = await open();
    });

    afterAll(async () => {
      await found?.close();
    });

    putConformance(opened);
    raceConformance(opened, options.atomicConditions);
    listConformance(opened, options.listsByFolder);

    test('a store in order passes its check, and a sweep takes nothing that stands', async () => {
      const key = fresh('kept');
      await opened().put(key, Buffer.from('kept'));
      const gate = Promise.withResolvers<void>();
      const running = fresh('running');
      const put = opened().put(running, held(gate.promise), { size: 2 * MIB });
      await sleep(20);
      await opened().check();
      await opened().sweep();
      gate.resolve();
      await put;
      expect((await read(opened(), key)).toString()).toBe('kept');
      expect(await opened().head(running)).toMatchObject({ size: 2 * MIB });
    });
  });
}

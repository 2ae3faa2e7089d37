import { randomBytes, randomInt } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { openStore, type Store } from '../../shared/storage/store.ts';
import { CREDENTIALS, makeBucket } from '../support/engines.ts';
import { type SeaweedfsCluster, startSeaweedfsCluster } from '../support/seaweedfs.ts';
import { engineConformance } from './engine-conformance.ts';

engineConformance(startSeaweedfsCluster, 'a cluster of SeaweedFS');

const WRITERS = 8;
/** Tries of one write, and milliseconds between two. */
const TRIES = 40;
const PAUSE = 250;

describe('a store on a cluster of SeaweedFS whose volume servers die', () => {
  let cluster: SeaweedfsCluster;
  let store: Store;
  let location: string;

  const open = () => openStore(location, { now: Date.now, credentials: CREDENTIALS });

  beforeAll(async () => {
    cluster = await startSeaweedfsCluster();
    location = await makeBucket(cluster, 'site');
    store = await open();
  });

  afterAll(async () => {
    await store?.close();
    await cluster?.close();
  });

  /** What the store said that it has: by name, the digest of its bytes. */
  const acknowledged = new Map<string, Entry>();
  const failures: unknown[] = [];

  async function write(key: string): Promise<void> {
    // one in twenty goes in parts
    const bytes = randomBytes(randomInt(20) === 0 ? 9 << 20 : randomInt(1, 64 << 10));
    const digest = digestOf(bytes);
    const at = new Date().toISOString();
    const facts = { mediaType: 'text/plain', headers: {}, origin: 'upload', storedAt: at, checkedAt: at };
    const entry = { key, digest, size: bytes.length, ...facts };
    for (let attempt = 1; ; attempt += 1) {
      try {
        await store.blobs.put(digest, bytes.length, Readable.from([bytes], { objectMode: false }));
        await store.catalog('notes').put(entry);
        acknowledged.set(key, entry);
        return;
      } catch (error) {
        failures.push(error);
        if (attempt === TRIES) throw error;
        await sleep(PAUSE);
      }
    }
  }

  /** Writes so many names, several at a time; `act` runs when half of them stand. */
  async function writeAll(prefix: string, count: number, act?: () => Promise<void>): Promise<void> {
    const names = Array.from({ length: count }, (_, index) => `${prefix}/${index}`).values();
    let written = 0;
    let acted: Promise<void> | undefined;
    await Promise.all(
      Array.from({ length: WRITERS }, async () => {
        for (const name of names) {
          await write(name);
          written += 1;
          if (act && written === count >> 1) acted = act();
        }
      }),
    );
    await acted;
  }

  /** Reads everything that was acknowledged, through a store that remembers nothing. */
  async function readBack(): Promise<void> {
    const other = await open();
    try {
      for (const [key, { digest, size }] of acknowledged) {
        expect(await other.catalog('notes').get(key)).toMatchObject({ digest, size });
        expect(digestOf(await other.blobs.read(digest, size))).toBe(digest);
      }
    } finally {
      await other.close();
    }
  }

  test('one that is killed while names are written takes nothing with it that was acknowledged', async () => {
    await writeAll('one', 200, () => cluster.volumes[0]!.kill());
    expect(acknowledged.size).toBe(200);
    await readBack();
  });

  test('writes go on without it, and what failed on the way was told in words and stands when it is repeated', async () => {
    await writeAll('without', 60);
    await readBack();
    for (const error of failures) {
      expect(error).toBeInstanceOf(MirrorError);
      expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/the engine cannot be used/) });
    }
    // what was on its way, and what was sent until the master knew: not one failure for every write
    expect(failures.length).toBeLessThan(WRITERS * 10);
  });

  test('when it is back another may go', async () => {
    await cluster.volumes[0]!.restart();
    await writeAll('back', 60);
    await cluster.volumes[1]!.kill();
    await writeAll('again', 60);
    await readBack();
    expect(acknowledged.size).toBe(380);
  });
});

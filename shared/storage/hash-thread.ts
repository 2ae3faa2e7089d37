import { parentPort } from 'node:worker_threads';
import { type RunningHash, startHash } from '../model/running-hash.ts';
import type { Said, Told } from './side-hashes.ts';

/** A thread that hashes what lies in shared memory: streams by their ids, each in its own order. */
const streams = new Map<number, Promise<Map<string, RunningHash>>>();

parentPort!.on('message', async (said: Said) => {
  const { id } = said;
  try {
    if ('wishes' in said)
      streams.set(
        id,
        Promise.all(said.wishes.map(async (wish) => [wish.name, await startHash(wish)] as const)).then(
          (hashes) => new Map(hashes),
        ),
      );
    const hashes = await streams.get(id)!;
    if ('bytes' in said) {
      for (const hash of hashes.values()) hash.update(said.bytes);
      tell({ id, added: true });
    }
    if ('over' in said) {
      streams.delete(id);
      if (said.over === 'finish')
        tell({ id, found: new Map([...hashes].map(([name, hash]) => [name, hash.digest()])) });
    }
  } catch (error) {
    tell({ id, failed: String(error) });
  }
});

function tell(told: Told): void {
  parentPort!.postMessage(told);
}

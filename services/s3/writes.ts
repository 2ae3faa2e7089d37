import type { Entry } from '../../shared/model/entry.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { S3Error } from './errors.ts';

/** How often others may come between a look and a write; within a process `Turns` lets one at a time look. */
const TRIES = 16;

interface Names {
  catalog: Pick<Catalog, 'current' | 'put' | 'delete'>;
}

/**
 * Writes over what stands under a name now. Nobody comes between, whichever process or replica they write in, as far as
 * the store's engine decides races.
 * @param make of what stands there; throws when that is not what the request asks for
 */
export async function replaceName(
  { catalog }: Names,
  name: string,
  make: (held: Entry | undefined) => Entry,
): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const held = await catalog.current(name);
    const entry = make(held?.entry);
    if (await catalog.put(entry, held ? { ifMatch: held.etag } : { ifAbsent: true })) return;
  }
  throw conflicting();
}

/** Takes a name away, if what stands there now passes `check`, which throws. */
export async function deleteName(
  { catalog }: Names,
  name: string,
  check: (held: Entry | undefined) => void,
): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const held = await catalog.current(name);
    check(held?.entry);
    if (!held || (await catalog.delete(name, { ifMatch: held.etag }))) return;
  }
  throw conflicting();
}

/** "The conditional request cannot succeed due to a conflicting operation against this resource." */
function conflicting(): S3Error {
  return new S3Error(
    'conflict',
    'ConditionalRequestConflict',
    'The conditional request cannot succeed due to a conflicting operation against this resource. Try again.',
  );
}

import type { Pair } from './beside.ts';
import type { ObjectStore } from './object-store.ts';
import { AUDIT, IMPORTS, KEYS, QUARANTINE, TOKENS, WANTS } from './paths.ts';

/** Prefixes of what is neither a blob nor a name. */
export const RECORDS = [TOKENS, KEYS, IMPORTS, WANTS, AUDIT, QUARANTINE];

/** Documents of a larger size are not compared byte for byte. */
const COMPARED = 16 << 20;
/** Clocks of two machines may be so far apart, in milliseconds. */
const SKEW = 24 * 3_600_000;

/**
 * True when the source has not written an object since it was written at the target, whatever their clocks say: then
 * neither has to be read.
 */
export function isLongThere({ modified, there }: Pair): boolean {
  return there !== undefined && there.modified.getTime() - modified.getTime() > SKEW;
}

/**
 * What was done with an object. `newer`: the target's is, and stays. `own`: a secret that the target made for itself
 * stays, since what was made with it would be good no more. `gone`: the source has it no more.
 */
export type CopiedRecord = 'copied' | 'there' | 'newer' | 'own' | 'gone';

/** Copies one of these as it stands. */
export async function copyRecord(from: ObjectStore, to: ObjectStore, pair: Pair): Promise<CopiedRecord> {
  const { key, size, modified, there } = pair;
  // what is in quarantine is never written again
  if (there && (isLongThere(pair) || (key.startsWith(QUARANTINE) && there.size === size))) return 'there';
  if (there && (await isSame(from, to, pair))) return 'there';
  if (there && key.startsWith(KEYS)) return 'own';
  if (there && there.modified.getTime() > modified.getTime()) return 'newer';
  const found = await from.get(key);
  if (!found) return 'gone';
  await to.put(key, found.body, { size: found.stat.size });
  return 'copied';
}

async function isSame(from: ObjectStore, to: ObjectStore, { key, size, there }: Pair): Promise<boolean> {
  if (size !== there?.size || size > COMPARED) return false;
  const [one, other] = await Promise.all([bytesOf(from, key), bytesOf(to, key)]);
  return one !== undefined && other !== undefined && one.equals(other);
}

async function bytesOf(objects: ObjectStore, key: string): Promise<Buffer | undefined> {
  const found = await objects.get(key);
  return found && Buffer.concat(await found.body.toArray());
}

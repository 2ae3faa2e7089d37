import { randomUUID } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import type { Store } from './store.ts';

type Place = Pick<Store, 'objects' | 'location'>;

/**
 * True when two stores are one, however their addresses are written: a directory may be a link, an engine may have
 * several names, so of two engines one is asked for what the other was given a moment ago.
 */
export async function isSamePlace(one: Place, other: Place): Promise<boolean> {
  if (one.objects === other.objects) return true;
  const engines = [one, other].filter(({ location }) => location.startsWith('s3://'));
  if (engines.length === 1) return false;
  if (engines.length === 0) {
    const [first, second] = await Promise.all([one, other].map(({ location }) => realpath(location).catch(() => '')));
    return first !== '' && first === second;
  }
  const key = `probes/${randomUUID()}`;
  await other.objects.put(key, Buffer.from('probe'));
  try {
    return (await one.objects.head(key)) !== undefined;
  } finally {
    await other.objects.delete(key);
  }
}

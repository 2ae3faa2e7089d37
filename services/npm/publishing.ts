import { type Digest, hexOf } from '../../shared/model/digest.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NpmConfig } from './config.ts';

/** Names of bytes that are being published: `publishing/<name>/<version>/<digest>`. */
const PUBLISHING = 'publishing/';
/** Milliseconds after which nobody is still at it. */
const LONGEST = 3_600_000;

type Rooms = Pick<Context<NpmConfig>, 'catalog' | 'now'>;

export interface Publishing {
  name: string;
  version: string;
  digest: Digest;
  /** Bytes. */
  size: number;
}

/** Runs `work` while the bytes have a name, so that no clean-up takes them when we die before the tarball has its own. */
export async function whilePublishing<T>(rooms: Rooms, about: Publishing, work: () => Promise<T>): Promise<T> {
  const { name, version, digest, size } = about;
  const at = new Date(rooms.now()).toISOString();
  const facts = { mediaType: 'application/octet-stream', headers: {}, origin: 'upload', storedAt: at, checkedAt: at };
  const key = `${PUBLISHING}${name}/${version}/${hexOf(digest)}`;
  await rooms.catalog.put({ key, digest, size, ...facts });
  try {
    return await work();
  } finally {
    await rooms.catalog.delete(key);
  }
}

/**
 * Ends what was being published by somebody who is no more: the document says whether it came to be.
 * @param look has the names of a package's tarballs follow from its document
 */
export async function endPublishing({ catalog, now }: Rooms, look: (name: string) => Promise<unknown>): Promise<void> {
  for (const { key, storedAt } of await catalog.list(PUBLISHING)) {
    await look(key.slice(PUBLISHING.length).split('/').slice(0, -2).join('/'));
    if (now() - Date.parse(storedAt) > LONGEST) await catalog.delete(key);
  }
}

import type { Entry } from '../../shared/model/entry.ts';
import type { Shelf, ShelfPlace } from '../../shared/service/shelf.ts';
import { compare } from '../../shared/storage/segments.ts';
import { PRIVATE } from './refs.ts';

const FILES = 'file/';

/** `wheels`: each file that is held, as `<project>/<filename>`; of two origins the private one shadows, as it does for pip. */
export const wheels: Shelf = {
  bucket: 'wheels',
  async get(place, key) {
    for (const origin of await originsOf(place)) {
      const entry = await place.catalog.get(`${FILES}${origin}/${key}`);
      if (entry) return { ...entry, key };
    }
    return undefined;
  },
  async list(place, prefix, { after, limit }) {
    const found = new Map<string, Entry>();
    for (const origin of await originsOf(place)) {
      const base = `${FILES}${origin}/`;
      const page = { after: after === undefined ? undefined : base + after, limit };
      for (const entry of await place.catalog.list(base + prefix, page)) {
        const key = entry.key.slice(base.length);
        if (!found.has(key)) found.set(key, { ...entry, key });
      }
    }
    return [...found.values()].sort((one, other) => compare(one.key, other.key)).slice(0, limit);
  },
};

async function originsOf({ catalog }: ShelfPlace): Promise<string[]> {
  const origins = await catalog.segments(FILES);
  return origins.sort((one, other) => Number(other === PRIVATE) - Number(one === PRIVATE));
}

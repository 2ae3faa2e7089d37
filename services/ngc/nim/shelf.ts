import type { Entry } from '../../../shared/model/entry.ts';
import type { Shelf, ShelfPlace } from '../../../shared/service/shelf.ts';
import type { Page } from '../../../shared/storage/catalog-index.ts';
import { compare, LAST, touches } from '../../../shared/storage/segments.ts';
import { encodeRfc3986 } from '../../../shared/storage/sigv4.ts';
import type { ArtifactVersion } from '../artifact.ts';
import { fileKey } from '../keys.ts';
import { placeOf } from '../refs.ts';
import { decodedBeginning, nimPrefix, parseNimKey } from './nim-key.ts';

const FILES = 'file/models/';

/**
 * `nim`: the files of models that are held, under the keys of `NIM_REPOSITORY_OVERRIDE=s3://nim/`: at the root of the
 * bucket, without folders.
 */
export const nimShelf: Shelf = {
  bucket: 'nim',

  async get({ catalog }, key) {
    const file = parseNimKey(key);
    const entry = file && (await catalog.get(fileKey(file, file.path)));
    return entry && { ...entry, key };
  },

  async list(place, prefix, { after = '', limit = Number.POSITIVE_INFINITY }) {
    const found: Entry[] = [];
    for (const { beginning, of } of await versionsOf(place, prefix)) {
      if (!touches(beginning, prefix, after)) continue;
      for (const { key, path } of await filesOf(place, of, beginning)) {
        if (!key.startsWith(prefix) || compare(key, after) <= 0) continue;
        const entry = await place.catalog.get(fileKey(of, path));
        if (entry) found.push({ ...entry, key });
        if (found.length >= limit) return found;
      }
    }
    return found;
  },
};

/** Versions of which something is held, in the order of their keys here: those of the catalog are ordered otherwise. */
async function versionsOf(
  { catalog }: ShelfPlace,
  prefix: string,
): Promise<{ beginning: string; of: ArtifactVersion }[]> {
  const base = `${FILES}${decodedBeginning(prefix).replace(/\?.*$/s, '?')}`;
  const found: { beginning: string; of: ArtifactVersion }[] = [];
  // from version to version by seeks: most of the names are files of one
  for (let page: Page = { limit: 1 }; ; ) {
    const [key] = await catalog.keys(base, page);
    const place = key === undefined ? undefined : placeOf(key);
    if (key === undefined) break;
    page = { limit: 1, after: place?.version === undefined ? key : `${key.slice(0, key.indexOf('?'))}?${LAST}` };
    if (place?.version === undefined) continue;
    const of = { artifact: place.artifact, version: place.version };
    found.push({ beginning: nimPrefix(of), of });
  }
  return found.sort((one, other) => compare(one.beginning, other.beginning));
}

async function filesOf({ catalog }: ShelfPlace, of: ArtifactVersion, beginning: string) {
  const base = fileKey(of, '');
  const paths = (await catalog.keys(base)).map((key) => key.slice(base.length));
  const files = paths.map((path) => ({ key: beginning + encodeRfc3986(path), path }));
  return files.sort((one, other) => compare(one.key, other.key));
}

import type { Context } from '../../shared/service/service.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { type Artifact, type ArtifactKind, type ArtifactVersion, idOf, isVersion } from './artifact.ts';
import { fileKey } from './keys.ts';
import { placeOf } from './refs.ts';

/** Versions that are looked at side by side. */
const AT_ONCE = 256;

/** Versions that are held of an artifact: their document is here, and a file at least. */
export interface HeldVersions {
  artifact: Artifact;
  /** In the order of their names' bytes. */
  versions: string[];
}

/** Which versions of a kind are held. A version that was seen to have a file is not looked at again. */
export class HeldVersionsOf {
  readonly #catalog: Context<unknown>['catalog'];
  readonly #kind: ArtifactKind;
  #seen = new Map<string, ArtifactVersion>();

  constructor(catalog: Context<unknown>['catalog'], kind: ArtifactKind) {
    this.#catalog = catalog;
    this.#kind = kind;
  }

  /** By id. */
  async read(): Promise<Map<string, HeldVersions>> {
    const keys = await this.#catalog.keys(`version/${this.#kind}/`);
    const seen = new Map<string, ArtifactVersion>();
    for (let first = 0; first < keys.length; first += AT_ONCE) {
      const some = keys.slice(first, first + AT_ONCE);
      const held = await Promise.all(some.map((key) => this.#seen.get(key) ?? this.#look(key)));
      for (const [index, key] of some.entries()) if (held[index]) seen.set(key, held[index]);
    }
    this.#seen = seen;
    return byId(seen.values());
  }

  async #look(key: string): Promise<ArtifactVersion | undefined> {
    const { artifact, version } = placeOf(key) ?? {};
    if (!artifact || version === undefined || !isVersion(version)) return undefined;
    return (await hasFile(this.#catalog, { artifact, version })) ? { artifact, version } : undefined;
  }
}

/** True when a file of it is here, at least one. */
export async function hasFile(catalog: Pick<Catalog, 'keys'>, of: ArtifactVersion): Promise<boolean> {
  return (await catalog.keys(fileKey(of, ''), { limit: 1 })).length > 0;
}

function byId(all: Iterable<ArtifactVersion>): Map<string, HeldVersions> {
  const found = new Map<string, HeldVersions>();
  for (const { artifact, version } of all) {
    const id = idOf(artifact);
    const known = found.get(id);
    if (known) known.versions.push(version);
    else found.set(id, { artifact, versions: [version] });
  }
  return found;
}

import type { Context } from '../../shared/service/service.ts';
import { type Artifact, type ArtifactKind, idOf, isVersion, parseId } from './artifact.ts';
import { fileKey } from './keys.ts';

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
  #seen = new Set<string>();

  constructor(catalog: Context<unknown>['catalog'], kind: ArtifactKind) {
    this.#catalog = catalog;
    this.#kind = kind;
  }

  /** By id. */
  async read(): Promise<Map<string, HeldVersions>> {
    const prefix = `version/${this.#kind}/`;
    const keys = await this.#catalog.keys(prefix);
    const seen = new Set<string>();
    for (let first = 0; first < keys.length; first += AT_ONCE) {
      const some = keys.slice(first, first + AT_ONCE);
      const held = await Promise.all(some.map((key) => this.#seen.has(key) || this.#hasFile(key.slice(prefix.length))));
      for (const [index, key] of some.entries()) if (held[index]) seen.add(key);
    }
    this.#seen = seen;
    return byId(
      [...seen].map((key) => key.slice(prefix.length)),
      this.#kind,
    );
  }

  async #hasFile(place: string): Promise<boolean> {
    const found = placed(place, this.#kind);
    return found !== undefined && (await this.#catalog.keys(fileKey(found, ''), { limit: 1 })).length > 0;
  }
}

function placed(place: string, kind: ArtifactKind) {
  const colon = place.indexOf(':');
  const artifact = parseId(kind, place.slice(0, colon));
  const version = place.slice(colon + 1);
  return artifact && isVersion(version) ? { artifact, version } : undefined;
}

function byId(places: readonly string[], kind: ArtifactKind): Map<string, HeldVersions> {
  const found = new Map<string, HeldVersions>();
  for (const place of places) {
    const { artifact, version } = placed(place, kind)!;
    const known = found.get(idOf(artifact)) ?? { artifact, versions: [] };
    known.versions.push(version);
    found.set(idOf(artifact), known);
  }
  return found;
}

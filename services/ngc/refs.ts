import type { Entry } from '../../shared/model/entry.ts';
import type { Freshness } from '../../shared/model/freshness.ts';
import type { Ref, WantedItem } from '../../shared/model/ref.ts';
import { type Artifact, type ArtifactKind, type ArtifactVersion, idOf, labelOf, parseId } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import { artifactKey, fileKey, filesKey, versionKey, versionsKey } from './keys.ts';

/** `Ref.origin` of the catalog, and of the server that gives tokens for older keys. */
export const ORIGIN = 'ngc';
export const AUTH_ORIGIN = 'ngc-auth';

const JSON_TYPE = 'application/json';
const ETERNAL = { fresh: 1e9, stale: 1e9 };

/** A file of a version, as its list says it. */
export interface VersionFile {
  path: string;
  size?: number;
  /** Hex. */
  sha256?: string;
}

/** Makes the Refs of the catalog: with a key the scoped addresses, without one those of guests (reference ngc.md §2.3). */
export class Refs {
  readonly #config: NgcConfig;
  readonly #base: string;
  readonly #keyed: boolean;

  constructor(config: NgcConfig) {
    this.#config = config;
    this.#base = config.origin.replace(/\/+$/, '');
    this.#keyed = config.apiKey !== undefined || config.apiKeyFile !== undefined;
  }

  /** `{"model":{…}}` */
  artifact(artifact: Artifact): Ref {
    return {
      key: artifactKey(artifact),
      subject: artifact.kind === 'models' ? 'model' : 'resource',
      label: labelOf(artifact),
      source: `${this.#address(artifact)}${this.#keyed ? '?resolve-labels=false' : ''}`,
      origin: ORIGIN,
      accept: JSON_TYPE,
      freshness: this.#moving(),
      want: wanted(artifact),
    };
  }

  /** `{"model":{…},"modelVersions":[…]}`, all pages as one. */
  versions(artifact: Artifact): Ref {
    return {
      ...this.artifact(artifact),
      key: versionsKey(artifact),
      label: `the versions of ${labelOf(artifact)}`,
      source: `${this.#address(artifact)}/versions?page-size=1000`,
    };
  }

  /** `{"model":{…},"modelVersion":{…}}`. @param settled it is complete, and changes no more */
  version({ artifact, version }: ArtifactVersion, settled = true): Ref {
    return {
      ...this.artifact(artifact),
      key: versionKey({ artifact, version }),
      subject: 'version',
      label: labelOf(artifact, version),
      source: this.#versionAddress({ artifact, version }),
      freshness: settled ? 'immutable' : this.#unsettled(),
      want: wanted(artifact, version),
    };
  }

  /** `{"modelFiles":[…]}`, all pages as one. */
  files(of: ArtifactVersion, settled = true): Ref {
    return {
      ...this.version(of, settled),
      key: filesKey(of),
      label: `the files of ${labelOf(of.artifact, of.version)}`,
      source: `${this.#versionAddress(of)}/files?page-size=1000`,
    };
  }

  /** The bytes of a file. */
  file(of: ArtifactVersion, { path, size, sha256 }: VersionFile): Ref {
    return {
      key: fileKey(of, path),
      subject: 'file',
      label: `${path} of ${labelOf(of.artifact, of.version)}`,
      source: `${this.#versionAddress(of)}/files/${path.split('/').map(encodeURIComponent).join('/')}`,
      origin: ORIGIN,
      freshness: 'immutable',
      promised: { size, sha256 },
      want: { ...wanted(of.artifact, of.version), include: [path] },
    };
  }

  /** What the catalog answers with this query, at `/v2/…` of ours and its alike: a search. Asked, and not kept. */
  asked(path: string, label: string): Ref {
    const [key, source] = [`asked${path}`, `${this.#base}${path}`];
    const freshness = { fresh: 0, stale: 0 };
    return { key, subject: 'search', label, source, origin: ORIGIN, accept: JSON_TYPE, freshness };
  }

  #address({ kind, org, team, name }: Artifact): string {
    const parts = this.#keyed
      ? ['org', org, ...(team === undefined ? [] : ['team', team]), kind, name]
      : [kind, org, ...(team === undefined ? [] : [team]), name];
    return `${this.#base}/v2/${parts.map(encodeURIComponent).join('/')}`;
  }

  #versionAddress({ artifact, version }: ArtifactVersion): string {
    return `${this.#address(artifact)}/versions/${encodeURIComponent(version)}`;
  }

  #moving(): Freshness {
    return { fresh: this.#config.freshSeconds, stale: this.#config.staleSeconds };
  }

  /** A version that is still being uploaded: what was said of it a minute ago is not said for good. */
  #unsettled(): Freshness {
    return { fresh: Math.min(60, this.#config.freshSeconds), stale: 0 };
  }
}

/** What a name of the catalog is of. */
export interface Place {
  artifact: Artifact;
  version?: string;
  path?: string;
}

const KEY = /^(?:artifact|versions|version|files|file)\/(models|resources)\/([^:?]+)(?::([^?]+)(?:\?(.*))?)?$/s;

/** Reads a key of `keys.ts`; undefined for others. */
export function placeOf(key: string): Place | undefined {
  const [, kind, id, version, path] = KEY.exec(key) ?? [];
  const artifact = kind && id ? parseId(kind as ArtifactKind, id) : undefined;
  return artifact && { artifact, version, path };
}

/** The address of form 8, which names one file's signed address where form 5 does not lead to it. */
export function urlListSource(config: NgcConfig, keyed: boolean, of: ArtifactVersion, path: string): string {
  const { kind, org, team, name } = of.artifact;
  const scope = ['org', org, ...(team === undefined ? [] : ['team', team])];
  // guests have the words in front of the name here, and only here
  const parts = keyed ? [...scope, kind, name] : [kind, ...scope, name];
  const place = [...parts, of.version, 'files'].map(encodeURIComponent).join('/');
  return `${config.origin.replace(/\/+$/, '')}/v2/${place}?path=${encodeURIComponent(path)}`;
}

/** True for what was added here, from a folder: its entries name no address and no bundle. */
export function isLocal(entry: Entry | undefined): boolean {
  return entry !== undefined && !/^(https?|bundle):/.test(entry.origin);
}

/** As it is, or without a source for what was added here: nobody else is asked for it. */
export function own(ref: Ref, local: boolean): Ref {
  if (!local) return ref;
  return { ...ref, source: '', freshness: ref.freshness === 'immutable' ? 'immutable' : ETERNAL };
}

/** The manifest item that brings it across the gap. */
export function wanted(artifact: Artifact, version?: string): WantedItem {
  const id = version === undefined ? idOf(artifact) : `${idOf(artifact)}:${version}`;
  return { [artifact.kind === 'models' ? 'ngc' : 'ngc-resource']: id };
}

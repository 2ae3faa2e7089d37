import type { Context } from '../../shared/service/service.ts';
import { type Artifact, type ArtifactKind, idOf, parseId } from './artifact.ts';
import { SUMMARY, type Summary } from './keys.ts';

/** Milliseconds for which lists do not look again although names changed: a busy mirror changes some all the time. */
const TRUSTED = 1000;

/** A model or a resource that is held, ready to be searched. */
export interface Listed extends Summary {
  artifact: Artifact;
  /** `nvidia/tao/ocrnet`. */
  id: string;
  /** Added here: NGC is not asked for it. */
  local: boolean;
  /** What words are looked for in, lower case. */
  text: string;
}

/** What of a kind is held, in memory: summaries stand in the index of names, no document is read for them. */
export class HeldIndex {
  readonly #context: Pick<Context<unknown>, 'catalog' | 'now'>;
  readonly #kinds = new Map<ArtifactKind, { list: Listed[]; generation: number; at: number }>();
  readonly #reading = new Map<ArtifactKind, Promise<Listed[]>>();

  constructor(context: Pick<Context<unknown>, 'catalog' | 'now'>) {
    this.#context = context;
  }

  /** By id. */
  async list(kind: ArtifactKind): Promise<readonly Listed[]> {
    const { catalog, now } = this.#context;
    const known = this.#kinds.get(kind);
    const isTrusted = known && (known.generation === catalog.generation() || Math.abs(now() - known.at) < TRUSTED);
    if (isTrusted) return known.list;
    const reading = this.#reading.get(kind) ?? this.#read(kind).finally(() => this.#reading.delete(kind));
    this.#reading.set(kind, reading);
    return reading;
  }

  /** Orgs of which something is held, the one with the most first. */
  async orgs(): Promise<string[]> {
    const counts = new Map<string, number>();
    for (const { artifact } of await this.#all()) counts.set(artifact.org, (counts.get(artifact.org) ?? 0) + 1);
    return [...counts].sort(([one, many], [other, more]) => more - many || (one < other ? -1 : 1)).map(([org]) => org);
  }

  /** Teams of an org of which something is held. */
  async teams(org: string): Promise<string[]> {
    const own = (await this.#all()).filter(({ artifact }) => artifact.org === org);
    return [...new Set(own.flatMap(({ artifact }) => artifact.team ?? []))].sort();
  }

  async #all(): Promise<Listed[]> {
    return [...(await this.list('models')), ...(await this.list('resources'))];
  }

  async #read(kind: ArtifactKind): Promise<Listed[]> {
    const { catalog, now } = this.#context;
    const generation = catalog.generation();
    const prefix = `artifact/${kind}/`;
    const list: Listed[] = [];
    for (const { key, origin, headers } of await catalog.list(prefix)) {
      const artifact = parseId(kind, key.slice(prefix.length));
      const summary = JSON.parse(headers[SUMMARY] ?? 'null') as Summary | null;
      if (artifact && summary) list.push(listed(artifact, summary, origin === FOLDER));
    }
    this.#kinds.set(kind, { list, generation, at: now() });
    return list;
  }
}

/** The origin of what was added here. */
const FOLDER = 'folder';

function listed(artifact: Artifact, summary: Summary, local: boolean): Listed {
  const { displayName, description, labels, publisher, application, framework, modelFormat, precision } = summary;
  const words = [displayName, description, publisher, application, framework, modelFormat, precision, ...labels];
  const id = idOf(artifact);
  return { ...summary, artifact, id, local, text: [id, ...words].join('\n').toLowerCase() };
}

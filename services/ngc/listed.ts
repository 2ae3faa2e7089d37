import { Parsed } from '../../shared/mirror/parsed.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Context } from '../../shared/service/service.ts';
import { HeldList } from '../../shared/storage/held-list.ts';
import { ARTIFACT_KINDS, type Artifact, type ArtifactKind, idOf } from './artifact.ts';
import { type HeldVersions, HeldVersionsOf } from './held-versions.ts';
import { SUMMARY, type Summary, versionKey, WORDS } from './keys.ts';
import { isLocal } from './refs.ts';
import { parseSummary, summaryOf } from './summary.ts';

const MOST_DOCUMENT = 64 << 20;

/** A model or a resource of which a version is held, ready to be searched. */
export interface Listed extends Summary {
  artifact: Artifact;
  /** `nvidia/tao/ocrnet`. */
  id: string;
  /** Added here: NGC is not asked for it. */
  local: boolean;
  /** What words are looked for in, lower case. */
  text: string;
}

type Place = Pick<Context<unknown>, 'catalog' | 'blobs' | 'now'>;

/** What is held, in memory: summaries stand in the index of names, so that hardly any document is read for them. */
export class HeldIndex {
  readonly #kinds: Record<ArtifactKind, KindIndex>;

  constructor(place: Place) {
    this.#kinds = { models: new KindIndex(place, 'models'), resources: new KindIndex(place, 'resources') };
  }

  /** Reads what is held before somebody asks for it, who looks for changes all the same. An error is met by who asks. */
  async prepare(): Promise<void> {
    await this.#all().catch(() => undefined);
    for (const kind of ARTIFACT_KINDS) this.#kinds[kind].forget();
  }

  /** By id. */
  list(kind: ArtifactKind): Promise<readonly Listed[]> {
    return this.#kinds[kind].list();
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
    return (await Promise.all(ARTIFACT_KINDS.map((kind) => this.list(kind)))).flat();
  }
}

/** A line of the index, and what it was made of. */
interface Made {
  mark: string;
  one: Listed;
}

/** What is held of one kind. */
class KindIndex {
  readonly #place: Place;
  readonly #kind: ArtifactKind;
  readonly #versions: HeldVersionsOf;
  readonly #read = new Parsed<Summary>(8 << 20);
  readonly #held: HeldList<Listed>;
  #before = new Map<string, Made>();

  constructor(place: Place, kind: ArtifactKind) {
    this.#place = place;
    this.#kind = kind;
    this.#versions = new HeldVersionsOf(place.catalog, kind);
    this.#held = new HeldList(place, () => this.#readAll());
  }

  list(): Promise<readonly Listed[]> {
    return this.#held.list();
  }

  /** The next who asks is not given what was read before. */
  forget(): void {
    this.#held.forget();
  }

  async #readAll(): Promise<Listed[]> {
    const { catalog } = this.#place;
    const prefix = `artifact/${this.#kind}/`;
    const entries = new Map((await catalog.list(prefix)).map((entry) => [entry.key.slice(prefix.length), entry]));
    const made = new Map<string, Made>();
    for (const [id, held] of await this.#versions.read()) made.set(id, await this.#made(id, held, entries.get(id)));
    this.#before = made;
    return [...made.values()].map(({ one }) => one).sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  /** What did not change is the same as before. */
  async #made(id: string, held: HeldVersions, entry: Entry | undefined): Promise<Made> {
    const header = entry?.headers[SUMMARY];
    const before = this.#before.get(id);
    const mark = `${entry?.origin} ${held.versions.join(' ')} ${header}`;
    if (header !== undefined && before?.mark === mark) return before;
    return { mark, one: listed(held, parseSummary(header) ?? (await this.#summaryIn(held)), entry) };
  }

  /** Who asked for files alone never asked what they belong to: the document of a version says that, too. */
  async #summaryIn({ artifact, versions }: HeldVersions): Promise<Summary> {
    const { catalog, blobs } = this.#place;
    try {
      const { digest, size } = (await catalog.get(versionKey({ artifact, version: versions.at(-1)! })))!;
      return await this.#read.get(digest, size, async () => {
        const document = JSON.parse((await blobs.read(digest, MOST_DOCUMENT)).toString('utf8'));
        return summaryOf(document[WORDS[this.#kind].one]);
      });
    } catch {
      // one document that cannot be read is no reason to find nothing at all
      return summaryOf({});
    }
  }
}

const byNumber = new Intl.Collator('en', { numeric: true });

/** The latest version is one that is held: clients that name none take it. */
function listed({ artifact, versions }: HeldVersions, summary: Summary, entry: Entry | undefined): Listed {
  const { displayName, description, labels, publisher, application, framework, modelFormat, precision } = summary;
  const id = idOf(artifact);
  const words = [id, displayName, description, publisher, application, framework, modelFormat, precision, ...labels];
  const isHeld = summary.latestVersion !== undefined && versions.includes(summary.latestVersion);
  const latest = isHeld ? {} : { latestVersion: [...versions].sort(byNumber.compare).at(-1), latestSize: undefined };
  const own = {
    displayName: displayName || artifact.name,
    local: isLocal(entry),
    text: words.join('\n').toLowerCase(),
  };
  return { ...summary, ...latest, ...own, artifact, id };
}

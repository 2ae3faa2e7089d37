import type { Served } from '../../shared/mirror/resource.ts';
import { isKind } from '../../shared/model/errors.ts';
import type { Artifact } from './artifact.ts';
import { hasFile } from './held-versions.ts';
import { elementsOf, memberOf, withMember } from './json-slices.ts';
import { versionKey, WORDS } from './keys.ts';
import { withElements } from './paged-lists.ts';
import type { Rooms } from './routes.ts';

/** A document to send. */
export interface Listed {
  bytes: Buffer;
  served: Served;
}

/**
 * What is said of a model or a resource, and its versions: all that NGC tells of, or only what is held, where nobody else
 * can be asked for the rest. A client that names no version takes the latest, so that has to be one that is here.
 */
export class HeldLists {
  readonly #rooms: Pick<Rooms, 'context' | 'documents'>;

  constructor(rooms: Pick<Rooms, 'context' | 'documents'>) {
    this.#rooms = rooms;
  }

  async info(artifact: Artifact): Promise<Listed> {
    const { context, documents } = this.#rooms;
    if (context.listing === 'all') return documents.info(artifact);
    const { one } = WORDS[artifact.kind];
    const list = await this.#list(artifact).catch(unlessNotHeld);
    const document = await documents.info(artifact).catch((error) => {
      // the same stands in whatever else is held of it
      if (!list?.text) throw error;
      return { bytes: Buffer.from(`{${JSON.stringify(one)}:${memberOf(list.text, one)}}`), served: 'hit' as const };
    });
    const text = withLatest(document.bytes.toString('utf8'), one, list?.versions ?? []);
    return { bytes: Buffer.from(text), served: document.served };
  }

  async versions(artifact: Artifact): Promise<Listed> {
    const { context, documents } = this.#rooms;
    if (context.listing === 'all') return documents.versions(artifact);
    const { one, versions: word } = WORDS[artifact.kind];
    const { text, versions, served } = await this.#list(artifact);
    return { bytes: Buffer.from(withLatest(withElements(text, word, versions), one, versions)), served };
  }

  /**
   * The versions that are held, as the list of them has it; those that it lacks from their own documents, in front.
   * `text` is a document that says of the artifact what the list would.
   */
  async #list(artifact: Artifact): Promise<{ text: string; versions: string[]; served: Served }> {
    const { documents } = this.#rooms;
    const { one, version: word, versions: listWord } = WORDS[artifact.kind];
    const held = await this.#held(artifact);
    const document = await documents.versions(artifact).catch((error) => {
      if (held.size === 0) throw error;
      return unlessNotHeld(error);
    });
    const list = document?.bytes.toString('utf8');
    const listed = elementsOf((list && memberOf(list, listWord)) ?? '').filter((each) => held.delete(idOf(each)));
    const others: { version: string; of: string }[] = [];
    for (const version of held) {
      const text = (await documents.version({ artifact, version })).bytes.toString('utf8');
      others.push({ version: memberOf(text, word)!, of: memberOf(text, one) ?? '{}' });
    }
    others.sort((a, b) => newestFirst(a.version, b.version));
    const text = list ?? `{${JSON.stringify(one)}:${others[0]!.of}}`;
    return { text, versions: [...others.map(({ version }) => version), ...listed], served: document?.served ?? 'hit' };
  }

  /** Versions whose document is here, and a file at least. */
  async #held(artifact: Artifact): Promise<Set<string>> {
    const { catalog } = this.#rooms.context;
    const prefix = versionKey({ artifact, version: '' });
    const held = new Set<string>();
    for (const key of await catalog.keys(prefix)) {
      const version = key.slice(prefix.length);
      if (await hasFile(catalog, { artifact, version })) held.add(version);
    }
    return held;
  }
}

function unlessNotHeld(error: unknown): undefined {
  if (!isKind(error, 'not-held')) throw error;
}

/** The same document, whose latest version is the first of these unless the one that it names is among them. */
function withLatest(document: string, one: string, versions: readonly string[]): string {
  const model = memberOf(document, one);
  const first = versions[0];
  if (model === undefined || first === undefined) return document;
  const latest = JSON.parse(memberOf(model, 'latestVersionIdStr') ?? 'null') as unknown;
  if (versions.some((version) => idOf(version) === latest)) return document;
  const size = memberOf(first, 'totalSizeInBytes');
  const named = withMember(model, 'latestVersionIdStr', JSON.stringify(idOf(first)));
  return withMember(document, one, size ? withMember(named, 'latestVersionSizeInBytes', size) : named);
}

function idOf(version: string): string {
  return String(JSON.parse(memberOf(version, 'versionId') ?? '""'));
}

function newestFirst(one: string, other: string): number {
  const [a, b] = [one, other].map((version) => memberOf(version, 'createdDate') ?? '');
  return a! < b! ? 1 : a! > b! ? -1 : 0;
}

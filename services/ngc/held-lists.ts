import type { Served } from '../../shared/mirror/resource.ts';
import { isKind } from '../../shared/model/errors.ts';
import type { Artifact } from './artifact.ts';
import { elementsOf, memberOf, withMember } from './json-slices.ts';
import { fileKey, versionKey, WORDS } from './keys.ts';
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
    const { versions, versionTexts } = await this.#list(artifact);
    const { one } = WORDS[artifact.kind];
    const { bytes, served } = await documents.info(artifact).catch(async (error) => {
      const text = versionTexts.at(0);
      if (!text || !isKind(error, 'not-held')) throw error;
      return { bytes: Buffer.from(`{${JSON.stringify(one)}:${memberOf(text, one)}}`), served: 'hit' as const };
    });
    return { bytes: Buffer.from(withLatest(bytes.toString('utf8'), one, versions)), served };
  }

  async versions(artifact: Artifact): Promise<Listed> {
    const { context, documents } = this.#rooms;
    if (context.listing === 'all') return documents.versions(artifact);
    const { one, versions: word } = WORDS[artifact.kind];
    const { list, versions, versionTexts, served } = await this.#list(artifact);
    const whole = list ?? `{${JSON.stringify(one)}:${memberOf(versionTexts[0]!, one) ?? '{}'}}`;
    return { bytes: Buffer.from(withLatest(withElements(whole, word, versions), one, versions)), served };
  }

  /** The versions that are held, as the list of them has it; those that it lacks from their own documents, in front. */
  async #list(
    artifact: Artifact,
  ): Promise<{ list?: string; versions: string[]; versionTexts: string[]; served: Served }> {
    const { documents } = this.#rooms;
    const { version: word, versions: listWord } = WORDS[artifact.kind];
    const held = await this.#held(artifact);
    const document = await documents.versions(artifact).catch((error) => {
      if (held.size === 0 || !isKind(error, 'not-held')) throw error;
      return undefined;
    });
    const list = document?.bytes.toString('utf8');
    const listed = elementsOf((list && memberOf(list, listWord)) ?? '').filter((one) => held.delete(idOf(one)));
    const versionTexts: string[] = [];
    for (const version of held) {
      const { bytes } = await documents.version({ artifact, version });
      versionTexts.push(bytes.toString('utf8'));
    }
    const others = versionTexts.map((text) => memberOf(text, word)!).sort(newestFirst);
    return { list, versions: [...others, ...listed], versionTexts, served: document?.served ?? 'hit' };
  }

  /** Versions whose document is here, and a file at least. */
  async #held(artifact: Artifact): Promise<Set<string>> {
    const { catalog } = this.#rooms.context;
    const prefix = versionKey({ artifact, version: '' });
    const held = new Set<string>();
    for (const key of await catalog.keys(prefix)) {
      const version = key.slice(prefix.length);
      const files = await catalog.keys(fileKey({ artifact, version }, ''), { limit: 1 });
      if (files.length > 0) held.add(version);
    }
    return held;
  }
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

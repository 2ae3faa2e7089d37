import { isKind } from '../../shared/model/errors.ts';
import { nextLink, pageOf, queryOfNext } from './address.ts';
import { type Asked, pathOf, type Rooms } from './asked.ts';
import { sendJson } from './documents.ts';
import { OciError } from './errors.ts';
import { repoKey } from './keys.ts';
import { pageIn } from './pages.ts';
import type { Repository } from './repositories.ts';
import { isTag } from './repository-name.ts';

const MOST_LIST = 32 << 20;
/** Pages that are followed at an origin. */
const MOST_PAGES = 200;
/** Seconds for which an origin's list is believed, and lists that are kept. */
const FRESH = 60;
const MOST_KEPT = 200;

/** `GET …/tags/list` (distribution-spec, spec.md#listing-tags). */
export class TagLists {
  readonly #rooms: Rooms;
  readonly #kept = new Map<string, { until: number; tags: Promise<string[] | undefined> }>();

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
  }

  async answer(asked: Asked): Promise<void> {
    const { req, res, address, repository } = asked;
    const { limit, last } = pageOf(address.query);
    const tags = await this.#tagsOf(repository);
    const { page, more } = pageIn(tags, { after: last, limit });
    const link =
      more && limit
        ? nextLink(address, pathOf(asked, 'tags/list').slice(address.prefix.length), page.at(-1)!, limit)
        : undefined;
    // "name" is what the client asked by: it compares the two
    await sendJson(req, res, { name: address.name, tags: page }, { headers: link ? { link } : undefined });
  }

  /** What the origin lists and what is ours, in the order of their characters; what is held when it cannot be asked. */
  async #tagsOf(repository: Repository): Promise<string[]> {
    const { images, context } = this.#rooms;
    const held = await images.tags(repository.name);
    if (!repository.registry) {
      if (held.length > 0 || (await context.catalog.get(repoKey(repository.name)))) return held;
      throw unknown(repository);
    }
    const listed = context.listing === 'all' ? await this.#listed(repository) : undefined;
    if (listed === undefined && held.length === 0) throw unknown(repository);
    return [...new Set([...(listed ?? []), ...held])].sort(byCharacters);
  }

  async #listed(repository: Repository): Promise<string[] | undefined> {
    const now = this.#rooms.context.now();
    const kept = this.#kept.get(repository.name);
    if (kept && kept.until > now) return kept.tags;
    const tags = this.#ask(repository).catch((error) => {
      this.#kept.delete(repository.name);
      if (
        !isKind(error, 'upstream-failed', 'upstream-denied', 'too-large', 'forbidden') &&
        !(error instanceof SyntaxError)
      )
        throw error;
      this.#rooms.context.log.warn(
        { event: 'tags', repository: repository.name },
        `tags cannot be asked for: ${(error as Error).message}`,
      );
      return undefined;
    });
    this.#kept.set(repository.name, { until: now + FRESH * 1000, tags });
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    return tags;
  }

  /** All pages of an origin's list; undefined when it knows of no such repository. */
  async #ask(repository: Repository): Promise<string[] | undefined> {
    const { refs, context } = this.#rooms;
    const found: string[] = [];
    let query: string | undefined = '';
    for (let pages = 0; query !== undefined && pages < MOST_PAGES; pages += 1) {
      const answer = await context.ask(refs.tags(repository, query), { maxBytes: MOST_LIST });
      if (!answer) return pages === 0 ? undefined : found;
      const { tags } = JSON.parse(answer.bytes.toString('utf8')) as { tags?: unknown };
      if (Array.isArray(tags)) found.push(...tags.filter((tag) => typeof tag === 'string' && isTag(tag)));
      query = queryOfNext(answer.facts.headers.link);
    }
    return found;
  }
}

function unknown({ name }: Repository): OciError {
  return new OciError('not-found', 'repository', `nothing is known here of a repository "${name}"`, {
    code: 'NAME_UNKNOWN',
  });
}

const byCharacters = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

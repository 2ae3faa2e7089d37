import type { Request, RequestHandler } from 'express';
import { isKind } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { clientBase, queryOf, sendJson, valuesOf } from './answers.ts';
import type { HuggingfaceConfig } from './config.ts';
import { nextOf, withoutXet } from './pages.ts';
import type { Refs } from './refs.ts';
import type { RepoType } from './repo.ts';
import type { Listed, RepoIndex } from './repo-index.ts';

/** Repos on a page where a client says nothing, and at most. */
const USUAL = 1000;
const MOST = 10_000;
const MOST_ANSWER = 64 << 20;

interface Wish {
  words: string[];
  author: string | undefined;
  filters: string[];
  sort: string | undefined;
  ascending: boolean;
  gated: boolean | undefined;
  /** Somebody with a token: private repos are for them alone. */
  known: boolean;
  limit: number;
  first: number;
}

/**
 * `GET /api/{type}?search&author&filter&sort&limit…`: what is held; with an origin, what it finds, and what was made
 * here before it. Unknown query fields are ignored: nobody knows which a controller sends.
 */
export function listHandler(context: Context<HuggingfaceConfig>, refs: Refs, index: RepoIndex): RequestHandler {
  return async (req, res) => {
    const type = req.path.split('/')[2] as RepoType;
    const query = queryOf(req);
    context.log.info(
      { event: 'list', type, query: query.toString().slice(0, 500), agent: req.headers['user-agent'] },
      'list',
    );
    const wish = wishOf(query, req.identity !== undefined);
    const origin =
      context.listing === 'held' || query.has('held') ? undefined : await askOrigin(context, refs, type, query);
    if (origin) {
      const own = query.has('cursor')
        ? []
        : matching(
            (await index.list(type)).filter(({ local }) => local),
            wish,
          );
      const seen = new Set(own.map(({ id }) => id));
      const found = [...own.map((one) => shown(type, one)), ...origin.found.filter(({ id }) => !seen.has(String(id)))];
      return sendJson(
        req,
        res,
        found.slice(0, wish.limit),
        origin.next ? linkTo(req, context, queryIn(origin.next)) : {},
      );
    }
    const found = matching(await index.list(type), wish);
    const page = found.slice(wish.first, wish.first + wish.limit).map((one) => shown(type, one));
    const next = new URLSearchParams(query);
    next.set('cursor', String(wish.first + wish.limit));
    const more = wish.first + wish.limit < found.length ? linkTo(req, context, next) : {};
    return sendJson(req, res, page, { ...more, 'x-total-count': String(found.length) });
  };
}

/** What the hub finds at this moment; undefined when it cannot be asked: then what is held is the answer. */
async function askOrigin(context: Context<HuggingfaceConfig>, refs: Refs, type: RepoType, query: URLSearchParams) {
  try {
    const answer = await context.ask(refs.list(type, query.toString()), { maxBytes: MOST_ANSWER });
    const found = answer && (withoutXet(JSON.parse(answer.bytes.toString('utf8'))) as Record<string, unknown>[]);
    if (!answer || !Array.isArray(found)) return undefined;
    return { found, next: nextOf(answer.facts.headers.link, context.config.origin) };
  } catch (error) {
    if (
      !isKind(error, 'upstream-failed', 'upstream-denied', 'not-held', 'too-large') &&
      !(error instanceof SyntaxError)
    )
      throw error;
    context.log.warn({ event: 'list', type }, `the hub cannot be asked for lists: ${(error as Error).message}`);
    return undefined;
  }
}

function wishOf(query: URLSearchParams, known: boolean): Wish {
  const filters = [...valuesOf(query, 'filter'), ...valuesOf(query, 'tags')];
  for (const name of ['pipeline_tag', 'library', 'language', 'license', 'trained_dataset', 'apps'])
    for (const value of valuesOf(query, name))
      filters.push(name === 'license' && !value.includes(':') ? `license:${value}` : value);
  const limit = Number(query.get('limit') ?? USUAL);
  const gated = query.get('gated');
  return {
    words: query
      .getAll('search')
      .flatMap((text) => text.toLowerCase().split(/\s+/))
      .filter((word) => word !== ''),
    author: query.get('author')?.toLowerCase() || undefined,
    filters: filters.map((text) => text.toLowerCase()),
    sort: query.get('sort') ?? undefined,
    ascending: query.get('direction') === '1',
    known,
    gated: gated === null ? undefined : /^(true|1)$/i.test(gated),
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, MOST) : USUAL,
    first: Math.max(0, Number(query.get('cursor') ?? 0) || 0),
  };
}

function matching(list: readonly Listed[], wish: Wish): Listed[] {
  const { words, author, filters, gated, known } = wish;
  const found = list.filter(
    (one) =>
      (known || !one.private) &&
      words.every((word) => one.text.includes(word)) &&
      (author === undefined || one.text.startsWith(`${author}/`)) &&
      (gated === undefined || (one.gated !== false) === gated) &&
      filters.every((filter) => hasTag(one, filter)),
  );
  const value = SORTS[wish.sort ?? ''];
  if (value) found.sort((one, other) => (value(one) < value(other) ? 1 : value(one) > value(other) ? -1 : 0));
  return wish.ascending && value ? found.reverse() : found;
}

const SORTS: Record<string, (one: Listed) => string | number> = {
  lastModified: (one) => one.lastModified ?? '',
  last_modified: (one) => one.lastModified ?? '',
  createdAt: (one) => one.createdAt ?? '',
  created_at: (one) => one.createdAt ?? '',
  downloads: (one) => one.downloads,
  likes: (one) => one.likes,
  trendingScore: (one) => one.downloads,
  trending_score: (one) => one.downloads,
};

function hasTag(one: Listed, filter: string): boolean {
  const tags = [...one.tags, one.pipeline_tag, one.library_name];
  return tags.some((tag) => tag?.toLowerCase() === filter);
}

function shown(
  type: RepoType,
  { text: _text, local: _local, license: _license, ...one }: Listed,
): Record<string, unknown> {
  return {
    _id: one.sha.slice(0, 24),
    ...one,
    ...(type === 'models' ? { modelId: one.id } : {}),
    author: one.id.split('/')[0],
  };
}

function queryIn(url: string): URLSearchParams {
  return new URL(url).searchParams;
}

function linkTo(req: Request, context: Context<HuggingfaceConfig>, query: URLSearchParams): Record<string, string> {
  return { link: `<${clientBase(req, context.publicUrl)}${req.path}?${query}>; rel="next"` };
}

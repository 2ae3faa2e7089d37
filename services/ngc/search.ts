import { Router } from 'express';
import type { Context } from '../../shared/service/service.ts';
import { sendDocument, sendJson, wireOf } from './answers.ts';
import type { ArtifactKind } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import { WORDS } from './keys.ts';
import type { HeldIndex, Listed } from './listed.ts';
import { SUCCESS } from './orgs.ts';
import { OriginQuestions, type Said } from './origin-questions.ts';
import { matching, parseQuery, type Wish } from './search-query.ts';
import { type Found, ResultTexts, resultOf, withFields } from './search-result.ts';

/** What is searched: the public catalog, what a product opens, an org or a team, or all of them. */
interface Scope {
  /** As the address has it: `catalog/`, `subscriber/catalog/`, `org/nvidia/team/tao/`, or nothing. */
  at: string;
  org?: string;
  team?: string;
}

const ADDRESS =
  /^\/v2\/search\/(catalog\/|subscriber\/catalog\/|org\/([^/]+)\/(?:team\/([^/]+)\/)?)?resources\/([^/]+)\/?$/;

/**
 * The four searches (reference §2.3): what is held; with an origin, what it finds at this moment, and what was added here
 * before it. Of containers, charts and collections nothing is found: they are no part of this mirror.
 */
export function search(context: Context<NgcConfig>, held: HeldIndex): Router {
  const questions = new OriginQuestions(context);
  const texts = new ResultTexts();
  const router = Router({ caseSensitive: true });
  router.get(/^\/+v2\/+search\//, async (req, res, next) => {
    const { path, query } = wireOf(req);
    const [, at = '', org, team, type = ''] = ADDRESS.exec(path.replace(/\/{2,}/g, '/')) ?? [];
    if (type === '') return next();
    const q = new URLSearchParams(query).get('q');
    const wish = parseQuery(q);
    const scope = { at, org: org && decodeURIComponent(org), team: team && decodeURIComponent(team) };
    context.log.info({ event: 'search', at, type, query: wish.query.slice(0, 500) }, 'search');
    const kind = KINDS[type];
    const asked = kind && (await askOrigin(questions, scope, type, wish, q));
    // what a product opens is held like all else, and found in the catalog
    const list = kind && !at.startsWith('subscriber/') ? inScope(await held.list(kind), scope) : [];
    if (asked) return sendJson(req, res, withLocal(asked, type, wish, list));
    await sendDocument(req, res, heldAnswer(texts, type, wish, list));
  });
  return router;
}

const KINDS: Record<string, ArtifactKind | undefined> = {
  [WORDS.models.type]: 'models',
  [WORDS.resources.type]: 'resources',
};

function inScope(list: readonly Listed[], { org, team }: Scope): readonly Listed[] {
  const isWithin = ({ artifact }: Listed) => artifact.org === org && (team === undefined || artifact.team === team);
  return org === undefined ? list : list.filter(isWithin);
}

/** What the catalog finds; undefined when it is not asked, or does not answer. */
async function askOrigin(
  questions: OriginQuestions,
  { at, org, team }: Scope,
  type: string,
  wish: Wish,
  q: string | null,
): Promise<Said | undefined> {
  if (questions.onlyHeld) return undefined;
  const names = [...(org === undefined ? [] : [team === undefined ? org : `${org}/${team}`]), ...namesIn(wish)];
  if (names.some((name) => questions.isPrivate(name))) return undefined;
  // guests are shown the public catalog alone
  const where = questions.isKeyed || at === 'catalog/' ? at : at === '' ? 'catalog/' : undefined;
  if (where === undefined) return NOTHING;
  const query = q === null ? '' : `?q=${encodeURIComponent(q)}`;
  const answer = await questions.ask(`/v2/search/${where}resources/${encodeURIComponent(type)}${query}`, 'a search');
  if (Array.isArray(answer?.results))
    return { ...answer, results: answer.results.map((group: Group) => permitted(group, questions)) };
  // what an org that refuses us shows to all is found in the catalog, and the SDK would show it twice
  return answer && org !== undefined ? NOTHING : undefined;
}

const NOTHING = { ...SUCCESS, params: {}, resultTotal: 0, resultPageTotal: 0, results: [] };

/** Ids, or patterns of them, and words that may be some. */
function namesIn({ alternatives }: Wish): string[] {
  return alternatives.flat().map(({ pattern }) => pattern.replace(/\*+$/, '').replace(/\/$/, ''));
}

interface Group {
  groupValue?: unknown;
  totalCount?: unknown;
  resources?: Found[];
}

/** Without what may not be asked for: nobody could have it. */
function permitted(group: Group, { policy }: OriginQuestions): Group {
  const resources = group.resources?.filter(({ resourceId }) => policy.refuses(String(resourceId)) === undefined);
  return resources ? { ...group, resources } : group;
}

/** The catalog's answer with what was added here, on its first page, first. */
function withLocal(answer: Said, type: string, wish: Wish, list: readonly Listed[]): object {
  const local =
    wish.page > 0
      ? []
      : matching(
          list.filter((one) => one.local),
          wish,
        );
  if (local.length === 0) return answer;
  const groups = answer.results as Group[];
  const ids = new Set(local.map(({ id }) => id));
  const others = groups.filter(({ groupValue }) => groupValue !== type);
  const found = groups.find(({ groupValue }) => groupValue === type);
  const resources = (found?.resources ?? []).filter(({ resourceId }) => !ids.has(String(resourceId)));
  const more = local.length - ((found?.resources?.length ?? 0) - resources.length);
  const own = local.map((one) => withFields(resultOf(one), wish.fields));
  const group = { ...found, groupValue: type, totalCount: Number(found?.totalCount ?? 0) + more };
  return {
    ...answer,
    resultTotal: Number(answer.resultTotal ?? 0) + more,
    resultPageTotal: Math.max(1, Number(answer.resultPageTotal ?? 0)),
    results: [...others, { ...group, resources: [...own, ...resources] }],
  };
}

/** What is held, put together from texts. */
function heldAnswer(texts: ResultTexts, type: string, wish: Wish, list: readonly Listed[]): Buffer {
  const found = matching(list, wish);
  const { query, page, pageSize, filters, orderBy, fields } = wish;
  const head = JSON.stringify({
    ...SUCCESS,
    params: { query, page, pageSize, filters, orderBy, fields, queryFields: [], scoredSize: 0 },
    resultTotal: found.length,
    resultPageTotal: Math.ceil(found.length / pageSize),
  });
  const resources = found.slice(page * pageSize, (page + 1) * pageSize).map((one) => texts.of(one, fields));
  const of = `"groupValue":${JSON.stringify(type)},"totalCount":${found.length}`;
  const group = found.length === 0 ? '' : `{${of},"resources":[${resources.join(',')}]}`;
  return Buffer.from(`${head.slice(0, -1)},"results":[${group}]}`);
}

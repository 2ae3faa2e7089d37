import { WORDS } from '../../services/ngc/keys.ts';
import { json, type NgcAccount, refusal } from './ngc-origin-accounts.ts';
import { type NgcWork, searchDocument } from './ngc-origin-works.ts';
import type { Played } from './played.ts';

interface Query {
  query?: string;
  filters?: { field: string; value: string }[];
  orderBy?: { field: string; value: 'ASC' | 'DESC' }[];
  page?: number;
  pageSize?: number;
}

const SEARCH =
  /^\/v2\/search\/(?:(catalog|subscriber\/catalog|org\/([^/]+)(?:\/team\/([^/]+))?)\/)?resources\/([A-Z_]+)$/;

/** The four searches (reference §2.3); undefined when it is another address. */
export function answerSearch(url: URL, works: readonly NgcWork[], account: NgcAccount | undefined): Played | undefined {
  const found = SEARCH.exec(url.pathname);
  if (!found) return undefined;
  const [, place, org, team, type] = found;
  if (place !== 'catalog' && !account) return refusal(401, 'UNAUTHORIZED', 'Authentication required');
  if (org && !account?.orgs.includes(org)) return refusal(403, 'FORBIDDEN', `No role in ${org}`);
  let query: Query;
  try {
    query = JSON.parse(url.searchParams.get('q') ?? '{}') as Query;
  } catch {
    return refusal(400, 'INVALID_REQUEST', 'q is no JSON');
  }
  const seen = works.filter((work) => {
    if (WORDS[work.kind].type !== type) return false;
    if (place === 'catalog') return work.access === undefined;
    // nobody here has subscribed to anything
    if (place === 'subscriber/catalog') return false;
    if (org) return work.org === org && (team === undefined || work.team === team);
    return work.access !== 'private' || account!.orgs.includes(work.org);
  });
  return json(200, resultOf(query, type!, seen.map(searchDocument).filter(matcher(query))));
}

function resultOf(query: Query, type: string, resources: Record<string, unknown>[]) {
  const { page = 0, pageSize = 25, orderBy = [] } = query;
  for (const { field, value } of [...orderBy].reverse())
    resources.sort(
      (one, other) => String(one[field]).localeCompare(String(other[field])) * (value === 'DESC' ? -1 : 1),
    );
  const shown = resources.slice(page * pageSize, (page + 1) * pageSize);
  const scored = { groupValue: '_scored', totalCount: Math.min(1, shown.length), resources: shown.slice(0, 1) };
  return {
    resultTotal: resources.length,
    resultPageTotal: Math.ceil(resources.length / pageSize),
    params: { page, pageSize, query: query.query ?? '', filters: query.filters ?? [], orderBy },
    results: shown.length === 0 ? [] : [scored, { groupValue: type, totalCount: resources.length, resources: shown }],
  };
}

/** `resourceId:nvidia/tao/*` says where to look; a word alone is looked for everywhere. */
function matcher({ query = '', filters = [] }: Query): (document: Record<string, unknown>) => boolean {
  const wishes = query
    .split(/\s+(?:AND\s+)?/)
    .filter((word) => word !== '' && word !== '*')
    .map((word) => /^(?:(\w+):)?(.*)$/.exec(word)!);
  const rows = filters.map(({ field, value }) => [field, value] as const);
  return (document) =>
    rows.every(([field, value]) => String(document[field]) === value) &&
    wishes.every(([, field, pattern]) =>
      field
        ? globOf(pattern!).test(String(document[field]))
        : ['resourceId', 'displayName', 'description'].some((name) =>
            String(document[name]).toLowerCase().includes(pattern!.replaceAll('*', '').toLowerCase()),
          ),
    );
}

function globOf(pattern: string): RegExp {
  const parts = pattern
    .replace(/^"(.*)"$/, '$1')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${parts}$`, 'i');
}

import type { Request } from 'express';
import { OciError } from './errors.ts';

/** What a request under `/v2/` asks for. */
export interface Address {
  kind: 'manifest' | 'blob' | 'uploads' | 'upload' | 'tags' | 'referrers' | 'catalog' | 'base';
  /** The repository as it stands in the address; empty for `catalog` and `base`. */
  name: string;
  /** A tag, a digest, an upload's id: as it came. */
  reference: string;
  /** The host in front of `/v2/`, as `/docker.io/v2/…` has it. */
  host: string | undefined;
  /** All before `/v2/`, for links back. */
  prefix: string;
  query: URLSearchParams;
}

/** A repository may be called `v2/…`, and then its first part is no host. */
const V2 = /^(?:\/(?!v2\/)([^/]+))?\/v2(?:\/(.*))?$/;
/** The last of them wins: a repository may be called `a/blobs/b`. */
const FORMS: [RegExp, Address['kind']][] = [
  [/^(.+)\/blobs\/uploads\/?$/, 'uploads'],
  [/^(.+)\/blobs\/uploads\/([^/]+)$/, 'upload'],
  [/^(.+)\/manifests\/([^/]+)$/, 'manifest'],
  [/^(.+)\/blobs\/([^/]+)$/, 'blob'],
  [/^(.+)\/tags\/list$/, 'tags'],
  [/^(.+)\/referrers\/([^/]+)$/, 'referrers'],
];

/** Reads an address; undefined when it is none of a registry's. */
export function parseAddress(url: string): Address | undefined {
  const at = url.indexOf('?');
  const path = (at === -1 ? url : url.slice(0, at)).replace(/\/{2,}/g, '/');
  const found = V2.exec(path);
  if (!found) return undefined;
  const [, host, rest = ''] = found;
  const common = {
    host,
    prefix: host === undefined ? '' : `/${host}`,
    query: new URLSearchParams(at === -1 ? '' : url.slice(at + 1)),
  };
  if (rest === '') return { kind: 'base', name: '', reference: '', ...common };
  if (rest === '_catalog') return { kind: 'catalog', name: '', reference: '', ...common };
  for (const [form, kind] of FORMS) {
    const match = form.exec(rest);
    if (match) return { kind, name: decoded(match[1]!), reference: decoded(match[2] ?? ''), ...common };
  }
  return undefined;
}

/** Clients write the colon of a digest as `%3A`, some of them. Throws for a broken escape. */
function decoded(text: string): string {
  try {
    return text.includes('%') ? decodeURIComponent(text) : text;
  } catch {
    throw new OciError('bad-request', 'repository', 'the address has a broken %-escape', { code: 'NAME_INVALID' });
  }
}

/** How many a list's client wants, and from where on. Throws for what is no number. */
export function pageOf(query: URLSearchParams): { limit: number | undefined; last: string | undefined } {
  const n = query.get('n');
  const limit = n === null || n === '' ? undefined : Number(n);
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 0))
    throw new OciError('bad-request', 'request', `"n" is a whole number from 0 on, and not "${n!.slice(0, 40)}"`, {
      code: 'UNSUPPORTED',
    });
  return { limit, last: query.get('last') ?? undefined };
}

/** `Link` to the next page (RFC 5988), relative: it holds behind any proxy. */
export function nextLink(address: Address, path: string, last: string, limit: number): string {
  const query = new URLSearchParams(address.query);
  query.set('n', String(limit));
  query.set('last', last);
  return `<${address.prefix}${path}?${query}>; rel="next"`;
}

/**
 * The query that an origin's `Link` leads on with; undefined at the end. Only the query is taken over: where an origin is
 * asked is not for its answers to say.
 */
export function queryOfNext(link: string | undefined): string | undefined {
  const url = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  const at = url?.indexOf('?') ?? -1;
  return at === -1 ? undefined : url!.slice(at).replace(/[^\x21-\x7e]/g, '');
}

export function agentOf(req: Request): string | undefined {
  return req.headers['user-agent'];
}

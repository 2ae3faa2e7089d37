import { MirrorError } from '../../../shared/model/errors.ts';
import { plainPath } from '../address.ts';
import { isPackageName } from '../package-name.ts';
import { escaped } from '../refs.ts';

/** A request that changes a package, or looks at one in order to, as its method and address say it. */
export interface WriteRow {
  /** `document` is the package's own: published, deprecated, with fewer versions; `file` is a tarball. */
  kind: 'look' | 'document' | 'remove' | 'file' | 'tag' | 'tags';
  name: string;
  /** `-rev/<revision>`: of the document that the client looked at. */
  revision?: string;
  tag?: string;
  /** The address in the one form that Verdaccio is given. */
  url: string;
}

type Row = Omit<WriteRow, 'name' | 'url'>;

/**
 * Says what a request would change; undefined when it is none that changes a package. Addresses of scoped packages come
 * with their slash plain or escaped. Throws `bad-request` for a name that none can have.
 */
export function writeRowOf(method: string, url: string): WriteRow | undefined {
  const parts = plainPath(url).slice(1).split('/').map(decodeURIComponent);
  const isTags = parts[0] === '-' && parts[1] === 'package';
  if (parts[0] === '-' && !isTags) return undefined;
  const [name, rest] = named(isTags ? parts.slice(2) : parts);
  const isLook = (method === 'GET' || method === 'HEAD') && url.includes('?');
  const row = isTags ? tagRow(method, rest) : isLook ? lookRow(url, rest) : packageRow(method, rest);
  if (!row) return undefined;
  if (!isPackageName(name))
    throw new MirrorError('bad-request', 'package', `"${name.slice(0, 100)}" is no name of a package`);
  const before = isTags ? ['', '-', 'package'] : [''];
  return { ...row, name, url: [...before, escaped(name), ...rest.map(encodeURIComponent)].join('/') };
}

/** https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md and what npm's own client sends. */
function packageRow(method: string, [first, ...rest]: readonly string[]): Row | undefined {
  if (method === 'PUT' && first === undefined) return { kind: 'document' };
  if (first === '-rev' && rest.length === 1) {
    if (method === 'PUT') return { kind: 'document', revision: rest[0]! };
    if (method === 'DELETE') return { kind: 'remove', revision: rest[0]! };
  }
  // its revision is not looked at: the version is out of the document by now
  if (method === 'DELETE' && first === '-' && rest[1] === '-rev' && rest.length === 3) return { kind: 'file' };
  return undefined;
}

function tagRow(method: string, [first, tag, ...rest]: readonly string[]): Row | undefined {
  if (first !== 'dist-tags' || rest.length > 0) return undefined;
  if (tag === undefined) return method === 'POST' ? { kind: 'tags' } : undefined;
  return ['PUT', 'POST', 'DELETE'].includes(method) ? { kind: 'tag', tag } : undefined;
}

/** `?write=true`: the document is wanted as it is, and not as it was a while ago. */
function lookRow(url: string, rest: readonly string[]): Row | undefined {
  const query = new URLSearchParams(url.slice(url.indexOf('?')));
  return rest.length === 0 && query.get('write') === 'true' ? { kind: 'look' } : undefined;
}

/** A scope and what follows it are one name. */
function named(parts: readonly string[]): [string, string[]] {
  const length = parts[0]?.startsWith('@') ? 2 : 1;
  return [parts.slice(0, length).join('/'), parts.slice(length)];
}

/** Addresses of the web interface. */
export function isWebAddress(path: string): boolean {
  return path === '/' || /^\/-\/(?:web|static|verdaccio)\//.test(path);
}

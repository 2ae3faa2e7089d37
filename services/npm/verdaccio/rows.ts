import { MirrorError } from '../../../shared/model/errors.ts';
import { isPackageName } from '../package-name.ts';

/** A request that changes a package, as its method and address say it. */
export interface WriteRow {
  kind: 'document' | 'remove' | 'file' | 'tag' | 'tags';
  name: string;
  /** `-rev/<revision>`: of the document that the client looked at. */
  revision?: string;
  tag?: string;
  /** The address in the one form that Verdaccio is given. */
  url: string;
}

const ROWS: [RegExp, (match: RegExpExecArray) => Omit<WriteRow, 'url'> | undefined][] = [
  [/^PUT \/-\/package\/((?:@[^/]+\/)?[^/]+)\/dist-tags\/([^/]+)$/, ([, name, tag]) => tagOf(name!, tag!)],
  [/^POST \/-\/package\/((?:@[^/]+\/)?[^/]+)\/dist-tags\/([^/]+)$/, ([, name, tag]) => tagOf(name!, tag!)],
  [/^DELETE \/-\/package\/((?:@[^/]+\/)?[^/]+)\/dist-tags\/([^/]+)$/, ([, name, tag]) => tagOf(name!, tag!)],
  [/^POST \/-\/package\/((?:@[^/]+\/)?[^/]+)\/dist-tags$/, ([, name]) => ({ kind: 'tags', name: name! })],
  [/^PUT \/((?:@[^/]+\/)?[^/@-][^/]*)$/, ([, name]) => ({ kind: 'document', name: name! })],
  [
    /^PUT \/((?:@[^/]+\/)?[^/]+)\/-rev\/([^/]+)$/,
    ([, name, revision]) => ({ kind: 'document', name: name!, revision: revision! }),
  ],
  [
    /^DELETE \/((?:@[^/]+\/)?[^/]+)\/-rev\/([^/]+)$/,
    ([, name, revision]) => ({ kind: 'remove', name: name!, revision: revision! }),
  ],
  // what was looked at before this is another document: its version is out of the newest one already
  [/^DELETE \/((?:@[^/]+\/)?[^/]+)\/-\/[^/]+\/-rev\/[^/]+$/, ([, name]) => ({ kind: 'file', name: name! })],
];

/**
 * Says what a request would change; undefined when it is none that changes a package. Addresses of scoped packages come
 * with their slash plain or escaped. Throws `bad-request` for a name that none can have.
 */
export function writeRowOf(method: string, url: string): WriteRow | undefined {
  const path = decodeURIComponent(url.split('?', 1)[0]!);
  for (const [pattern, read] of ROWS) {
    const match = pattern.exec(`${method} ${path}`);
    const row = match && read(match);
    if (!row) continue;
    if (!isPackageName(row.name))
      throw new MirrorError('bad-request', 'package', `"${row.name.slice(0, 100)}" is no name of a package`);
    return { ...row, url: path.replace(row.name, row.name.replace('/', '%2f')) };
  }
  return undefined;
}

function tagOf(name: string, tag: string): Omit<WriteRow, 'url'> {
  return { kind: 'tag', name, tag };
}

/** Addresses of the web interface. */
export function isWebAddress(path: string): boolean {
  return path === '/' || /^\/-\/(?:web|static|verdaccio)\//.test(path);
}

import { parseHtmlRoot } from './parse-html.ts';
import { parseJsonRoot } from './parse-json.ts';
import { normalizeName } from './project-name.ts';

/** How the list of an origin is to be read. */
export interface RootSource {
  /** Where it came from. */
  url: string;
  json: boolean;
  /** A page of files of many projects. */
  flat: boolean;
}

/** Names on the list of an origin, normalised. Throws `upstream-failed` when it is none. */
export function readRootNames(bytes: Buffer, { url, json, flat }: RootSource): string[] {
  const names = json ? parseJsonRoot(bytes, url) : parseHtmlRoot(bytes, url, flat);
  // links of a page that are no projects (a parent folder, a style sheet) have no name in them
  return names.map(normalizeName).filter((name) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name));
}

/** All names, each once, in order. */
export function joinRootNames(lists: readonly (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].sort();
}

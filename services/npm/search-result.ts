import { scopeOf } from './package-name.ts';
import type { VersionManifest } from './packument.ts';
import type { Searchable } from './search-query.ts';

/** A package as a search tells of it (https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md). */
export interface FoundPackage {
  name: string;
  scope: string;
  version: string;
  description: string;
  keywords: string[];
  /** ISO 8601. */
  date?: string;
  links: Record<string, string>;
  author?: { name: string };
  publisher?: Person;
  /** npm's own search fails without a list. */
  maintainers: Person[];
  license?: string;
}

interface Person {
  username: string;
  email?: string;
}

/** One line of a search's answer. */
export interface Found {
  package: { name: string; version?: string; date?: string; [more: string]: unknown };
  [more: string]: unknown;
}

/** A whole answer. */
export interface SearchAnswer {
  objects: Found[];
  total: number;
  time: string;
}

/** A version in the words of a search. @param date ISO 8601 */
export function packageOf(manifest: VersionManifest, date: string | undefined): FoundPackage {
  const author = personOf(manifest.author);
  const maintainers = listOf(manifest.maintainers).flatMap((one) => personOf(one) ?? []);
  return {
    name: manifest.name,
    scope: scopeOf(manifest.name)?.slice(1) ?? 'unscoped',
    version: manifest.version,
    description: textOf(manifest.description) ?? '',
    keywords: keywordsOf(manifest.keywords),
    date,
    links: linksOf(manifest),
    author: author && { name: author.username },
    publisher: personOf(manifest._npmUser) ?? maintainers[0] ?? author,
    maintainers,
    license: textOf(manifest.license),
  };
}

/** What of it words are held against. */
export function searchable({ name, description, keywords, author, publisher, maintainers }: FoundPackage): Searchable {
  const people = [author?.name, publisher?.username, ...maintainers.map(({ username }) => username)];
  return { name, description, keywords, people: people.filter((person) => person !== undefined) };
}

/** A line for what is here: how good or how popular it is, nobody here can tell. */
export function lineOf(found: FoundPackage, relevance: number): Found {
  const detail = { quality: 0, popularity: 0, maintenance: 0 };
  return { package: { ...found }, score: { final: relevance, detail }, searchScore: relevance };
}

/** What a package.json says may be of any type: it was never checked. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function keywordsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.split(/[\s,]+/).filter(Boolean);
  return listOf(value).filter((word) => typeof word === 'string');
}

/** `{ name, email }`, or `Jo Doe <jo@example.com> (https://…)`. */
function personOf(value: unknown): Person | undefined {
  if (typeof value === 'string') {
    const [, name, email] = /^([^<(]*)(?:<([^>]*)>)?/.exec(value) ?? [];
    return name?.trim() ? { username: name.trim(), email } : undefined;
  }
  const { name, email } = (value ?? {}) as Record<string, unknown>;
  return typeof name === 'string' ? { username: name, email: textOf(email) } : undefined;
}

function linksOf({ homepage, repository, bugs }: VersionManifest): Record<string, string> {
  const links = { homepage: urlOf(homepage), repository: urlOf(repository), bugs: urlOf(bugs) };
  return Object.fromEntries(Object.entries(links).filter((link): link is [string, string] => link[1] !== undefined));
}

function urlOf(value: unknown): string | undefined {
  return textOf(value) ?? textOf((value as { url?: unknown } | undefined)?.url);
}

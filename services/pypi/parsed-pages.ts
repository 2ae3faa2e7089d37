import type { Logger } from 'pino';
import type { Entry } from '../../shared/model/entry.ts';
import type { Origin } from './origins.ts';
import { parseHtmlPage } from './parse-html.ts';
import { parseJsonPage } from './parse-json.ts';
import { isQuarantined, type ProjectPage, withFiles } from './project-page.ts';

/** Files of parsed pages that are kept, all pages together: about a kilobyte each. */
const MOST_FILES = 30_000;

/** Pages of origins as they were understood, so that a page is parsed when it changes and not when it is asked for. */
export class ParsedPages {
  readonly #log: Logger;
  readonly #pages = new Map<string, ProjectPage>();
  #files = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Throws `upstream-failed` when the bytes are no page. */
  read(entry: Entry, bytes: Buffer, project: string, origin: Origin): ProjectPage {
    // the same bytes at two addresses have other links
    const key = `${origin.name} ${project} ${entry.digest} ${addressOf(entry)}`;
    const known = this.#pages.get(key);
    const page = known ?? this.#parse(entry, bytes, project, origin);
    if (known) this.#forget(key);
    this.#pages.set(key, page);
    this.#files += weightOf(page);
    for (const oldest of this.#pages.keys()) {
      if (this.#files <= MOST_FILES || oldest === key) break;
      this.#forget(oldest);
    }
    return page;
  }

  #forget(key: string): void {
    this.#files -= weightOf(this.#pages.get(key)!);
    this.#pages.delete(key);
  }

  #parse(entry: Entry, bytes: Buffer, project: string, origin: Origin): ProjectPage {
    const dropped: string[] = [];
    const page = parse(entry, bytes, project, (filename) => dropped.push(filename));
    for (const file of page.files) origin.learnedHosts.add(new URL(file.url).host);
    if (dropped.length > 0) {
      this.#log.warn(
        { event: 'file-dropped', origin: origin.name, project, count: dropped.length, files: dropped.slice(0, 5) },
        'files on the page of an origin cannot be used',
      );
    }
    return isQuarantined(page) ? withFiles(page, []) : page;
  }
}

function weightOf(page: ProjectPage): number {
  return page.files.length + 1;
}

/** True when an origin answered in JSON. */
export function isJson(entry: Entry): boolean {
  return /^application\/([^;]+\+)?json\b/i.test(entry.mediaType);
}

/** Where a page came from in the end: its links are relative to that. */
export function addressOf(entry: Entry): string {
  return entry.headers['x-larder-url'] ?? entry.origin;
}

/** `X-PyPI-Last-Serial`, where the origin has it. */
export function serialOf(entry: Entry): number | undefined {
  const text = entry.headers['x-pypi-last-serial'] ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function parse(entry: Entry, bytes: Buffer, project: string, dropped: (filename: string) => void): ProjectPage {
  const page = isJson(entry)
    ? parseJsonPage(bytes, addressOf(entry), project, dropped)
    : parseHtmlPage(bytes, addressOf(entry), project);
  return { ...page, lastSerial: page.lastSerial ?? serialOf(entry) };
}

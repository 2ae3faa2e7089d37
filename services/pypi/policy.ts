import { MirrorError } from '../../shared/model/errors.ts';
import type { OriginConfig, PypiConfig } from './config.ts';
import { normalizeName } from './project-name.ts';
import { type FileRecord, type ProjectPage, withFiles } from './project-page.ts';

/** How finely the moment that a cooldown looks back to moves on, so that pages are not rendered anew each time. Ms. */
const STEP = 600_000;

/** What a site wants of its index: which projects, and how old a file must be. It fails closed. */
export class Policy {
  readonly #config: PypiConfig;
  readonly #now: () => number;
  readonly #private: Matcher;
  readonly #allow: Matcher;
  readonly #deny: Matcher;
  readonly #exempt: Matcher;

  constructor(config: PypiConfig, now: () => number) {
    this.#config = config;
    this.#now = now;
    this.#private = matcher(config.private);
    this.#allow = matcher(config.allow);
    this.#deny = matcher(config.deny);
    this.#exempt = matcher(config.excludeNewerExempt);
  }

  /** Throws `forbidden` for a project that the site does not want. */
  check(project: string): void {
    const denied =
      this.#deny(project) || (this.#config.allow.length > 0 && !this.#allow(project) && !this.#private(project));
    if (denied)
      throw new MirrorError(
        'forbidden',
        'project',
        `the project "${project}" is not allowed here (pypi.allow and pypi.deny say which are)`,
      );
  }

  /** True for a name that never goes upstream. */
  isPrivate(project: string): boolean {
    return this.#private(project);
  }

  /** True when this origin is asked for this project. */
  asks(origin: OriginConfig, project: string): boolean {
    return (origin.allow.length === 0 || matcher(origin.allow)(project)) && !matcher(origin.deny)(project);
  }

  /** The moment after which a file is too young for this project; undefined when there is none. Milliseconds. */
  newest(project: string): number | undefined {
    const setting = this.#config.excludeNewer;
    if (setting === undefined || this.#exempt(project)) return undefined;
    const length = /^(\d+)([dhm])$/.exec(setting);
    if (!length) return Date.parse(setting);
    const unit = { d: 86_400_000, h: 3_600_000, m: 60_000 }[length[2] as 'd' | 'h' | 'm'];
    return Math.floor((this.#now() - Number(length[1]) * unit) / STEP) * STEP;
  }

  /** The page without files that are too young, or of which nobody knows how old they are. */
  cooled(page: ProjectPage, newest: number | undefined): ProjectPage {
    return newest === undefined ? page : asOf(page, newest);
  }
}

/** The page with the files that were there at a moment, as far as anybody knows. */
export function asOf(page: ProjectPage, moment: number): ProjectPage {
  return withFiles(
    page,
    page.files.filter((file) => isOldEnough(file, moment)),
  );
}

/** Milliseconds of a day or a moment (`2026-11-01`, `2026-11-01T12:00:00Z`); undefined for anything else. */
export function momentOf(text: string): number | undefined {
  const moment = /^\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(moment) ? undefined : moment;
}

export function isOldEnough(file: FileRecord, newest: number): boolean {
  const uploaded = Date.parse(file['upload-time'] ?? '');
  return !Number.isNaN(uploaded) && uploaded <= newest;
}

type Matcher = (project: string) => boolean;

/** `*` stands for any characters; the rest for itself, normalised as the names that it is held against. */
function matcher(patterns: readonly string[]): Matcher {
  if (patterns.length === 0) return () => false;
  const sources = patterns.map((pattern) =>
    normalizeName(pattern)
      .split('*')
      .map((part) => part.replace(/[^a-z0-9]/g, '\\$&'))
      .join('.*'),
  );
  const all = new RegExp(`^(?:${sources.join('|')})$`);
  return (project) => all.test(project);
}

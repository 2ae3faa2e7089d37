import { MirrorError } from '../../shared/model/errors.ts';
import { isOldEnough, NamePolicy } from '../../shared/upstream/name-policy.ts';
import type { PypiConfig } from './config.ts';
import { normalizeName } from './project-name.ts';
import { type ProjectPage, withFiles } from './project-page.ts';

/** What a site wants of its index: which projects, and how old a file must be. It fails closed. */
export class Policy extends NamePolicy {
  constructor(config: PypiConfig, now: () => number) {
    super(config, now, normalizeName);
  }

  /** Throws `forbidden` for a project that the site does not want. */
  check(project: string): void {
    if (this.allows(project)) return;
    throw new MirrorError(
      'forbidden',
      'project',
      `the project "${project}" is not allowed here (pypi.allow and pypi.deny say which are)`,
    );
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
    page.files.filter((file) => isOldEnough(file['upload-time'], moment)),
  );
}

/** Milliseconds of a day or a moment (`2026-11-01`, `2026-11-01T12:00:00Z`); undefined for anything else. */
export function momentOf(text: string): number | undefined {
  const moment = /^\d{4}-\d{2}-\d{2}(T[\d:.]+Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(moment) ? undefined : moment;
}

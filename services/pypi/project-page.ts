import { parseFilename } from './project-name.ts';

/**
 * A file of a project, with the keys of the Simple API's JSON
 * (https://packaging.python.org/en/latest/specifications/simple-repository-api/#project-detail): JSON is the model,
 * HTML a projection of it (PEP 833).
 */
export interface FileRecord {
  filename: string;
  /** Where the origin has it, absolute; empty for a private file. */
  url: string;
  /** Hex by hashlib's names. */
  hashes: Record<string, string>;
  /** Bytes. */
  size?: number;
  /** ISO 8601 in UTC, with a `Z` (PEP 700). */
  'upload-time'?: string;
  'requires-python'?: string;
  yanked: boolean | string;
  'core-metadata': boolean | { sha256: string };
  /** Where the origin has the attestations, absolute. */
  provenance?: string;
}

export interface ProjectPage {
  /** Normalised. */
  name: string;
  files: FileRecord[];
  /** As the origin tells them; worked out from the files where it does not. */
  versions: string[];
  /** PEP 792. */
  status?: { status: string; reason?: string };
  lastSerial?: number;
}

/** Versions that the files of a project have, each once, in the order of the files. */
export function versionsOf(files: readonly FileRecord[], project?: string): string[] {
  const versions = files.map((file) => parseFilename(file.filename, project)?.version);
  return [...new Set(versions.filter((version) => version !== undefined))];
}

/** The page with some of its files, and the versions that they have. */
export function withFiles(page: ProjectPage, files: FileRecord[]): ProjectPage {
  return files === page.files ? page : { ...page, files, versions: versionsOf(files, page.name) };
}

/** "quarantined … MUST NOT offer any distribution files" (PEP 792). */
export function isQuarantined(page: ProjectPage): boolean {
  return page.status?.status === 'quarantined';
}

/** True when everything that API 1.1 and later demand is there: "size" on every file (PEP 700). */
export function isComplete(page: ProjectPage): boolean {
  return page.files.every((file) => file.size !== undefined);
}

/** True for a wheel: only they have METADATA that can be served. */
export function isWheel(filename: string): boolean {
  return filename.endsWith('.whl');
}

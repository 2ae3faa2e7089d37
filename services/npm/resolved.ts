import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NpmItem } from './items.ts';
import type { ReadLock } from './locks.ts';

/** What the closure of an item came to, kept for the proof of the same command. */
export interface Resolved {
  locks: ReadLock[];
  /** `fsevents@2.3.3`: versions that no target can install. */
  left: string[];
}

/** Writes down what an item came to. */
export async function keepResolved(workDir: string, item: NpmItem, resolved: Resolved): Promise<void> {
  await writeFile(fileOf(workDir, item), JSON.stringify(resolved));
}

/** What an item came to in this command; undefined when it was proven by itself. */
export async function readResolved(workDir: string, item: NpmItem): Promise<Resolved | undefined> {
  const text = await readFile(fileOf(workDir, item), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Resolved);
}

function fileOf(workDir: string, item: NpmItem): string {
  const mark = createHash('sha256').update(JSON.stringify(item)).digest('hex');
  return join(workDir, `npm-${mark.slice(0, 32)}.json`);
}

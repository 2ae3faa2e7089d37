import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { writeManifest } from '../../shared/bundle/manifest.ts';
import { MirrorError } from '../../shared/model/errors.ts';

/** A manifest that comes with Larder. */
export interface Preset {
  name: string;
  /** Its first line. */
  description: string;
  text: string;
}

/** A bundle's name has the time behind it. */
const MOST_NAME = 48;
const FOLDER = fileURLToPath(new URL('../../config/presets/', import.meta.url));

/** All of them, by name. */
export async function listPresets(folder = FOLDER): Promise<Preset[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8');
      const description = /^# (.+)$/m.exec(text)?.[1] ?? '';
      return { name: file.slice(0, -'.yaml'.length), description, text };
    }),
  );
}

/** Throws `bad-request`, with the names that there are. */
export async function readPreset(name: string, folder = FOLDER): Promise<Preset> {
  const all = await listPresets(folder);
  const found = all.find((preset) => preset.name === name);
  if (found) return found;
  const names = all.map((preset) => preset.name).join(', ');
  throw new MirrorError('bad-request', 'preset', `there is no preset "${name}"; there are ${names}`);
}

/** What of a manifest counts when several become one. */
interface Part {
  name: string;
  text: string;
}

interface Raw {
  name?: string;
  channel?: string;
  defaults?: unknown;
  items?: unknown[];
}

/**
 * One manifest of several: the items of all, an image that two of them name once.
 * Throws `bad-request` where they differ in what holds for all items.
 */
export function joinManifests(parts: readonly Part[]): string {
  if (parts.length === 1) return parts[0]!.text;
  const all = parts.map(({ text }) => parse(text) as Raw);
  const [first, ...others] = all.map(({ channel, defaults }) => JSON.stringify([channel, defaults]));
  const other = others.findIndex((one) => one !== first);
  if (other !== -1)
    throw new MirrorError(
      'bad-request',
      'manifest',
      `${parts[0]!.name} and ${parts[other + 1]!.name} differ in their defaults or their channel, so they do not fit into one bundle; make one of each, or copy a preset and change it`,
    );
  const items = new Map(all.flatMap(({ items: some }) => some ?? []).map((item) => [JSON.stringify(item), item]));
  const { channel, defaults } = all[0]!;
  const name = parts
    .map((part) => part.name.replaceAll(/[^a-z0-9]+/g, '-'))
    .join('-')
    .slice(0, MOST_NAME);
  const head = writeManifest(name, [...items.values()], `from ${parts.map((part) => part.name).join(', ')}`);
  const more = { ...(channel ? { channel } : {}), ...(defaults ? { defaults } : {}) };
  const lines = Object.entries(more).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  return `${head}${lines.join('')}`;
}

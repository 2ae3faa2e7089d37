import { existsSync } from 'node:fs';
import { z } from 'zod';
import { MirrorError } from '../model/errors.ts';
import { type Listener, listenerSchema, type SuiteConfig, suiteSchema } from './schema.ts';
import { noSettingsFile, type Problem, readSettingsFile, type SettingsFile } from './settings-file.ts';
import { nearest, readVariable, type Setting, settingsOf } from './variables.ts';

/** What the loader must know of a service. */
export interface Section {
  name: string;
  defaultPort: number;
  configSchema: z.ZodType;
}

export interface Config {
  suite: SuiteConfig;
  /** Per service: where it listens, and its own settings. */
  services: Map<string, { listener: Listener; settings: unknown }>;
  /** Which file was read; unset when there was none. */
  file: string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process: read here and nowhere else. */
export function environment(): Environment {
  return process.env;
}

/**
 * Reads settings: defaults, then a file, then variables. Every problem is told at once, each with its key, its line or
 * variable, and what would be right.
 * @param options.file read when given; else `larder.yaml` in the working directory when there is one
 * @param options.overrides what the command line says, by path (`{ store: './other' }`)
 * Throws `bad-request`; nothing starts on a wrong setting.
 */
export function loadConfig(options: {
  file?: string;
  env: Environment;
  sections: readonly Section[];
  overrides?: Record<string, unknown>;
}): Config {
  const file = options.file ?? (existsSync('larder.yaml') ? 'larder.yaml' : undefined);
  const source = file === undefined ? noSettingsFile() : readSettingsFile(file);
  const problems = [...source.problems];
  const schema = suiteSchema.extend(
    Object.fromEntries(options.sections.map((section) => [section.name, sectionSchema(section)])),
  );
  const settings = settingsOf(schema);
  leaveOutEmpty(source.value, settings);
  const origins = applyVariables(source.value, settings, options.env, problems);
  for (const [key, value] of Object.entries(options.overrides ?? {})) {
    if (value === undefined) continue;
    source.value[key] = value;
    origins.set(key, `--${key}`);
  }
  const parsed = schema.safeParse(source.value);
  if (!parsed.success)
    problems.push(...parsed.error.issues.map((issue) => problemOf(issue, source, origins, settings)));
  if (!parsed.success || problems.length > 0) throw refusal(problems);
  return split(parsed.data as Record<string, unknown>, options.sections, file);
}

/** A service's own keys and those of its listener, as one object that knows all its keys. */
function sectionSchema(section: Section): z.ZodType {
  const listener = listenerSchema(section.defaultPort);
  const own = section.configSchema;
  if (!(own instanceof z.ZodObject)) throw new Error(`the settings of ${section.name} are no object`);
  return z.strictObject({ ...listener.shape, ...own.shape }).prefault({});
}

function split(data: Record<string, unknown>, sections: readonly Section[], file: string | undefined): Config {
  const suite: Record<string, unknown> = { ...data };
  const services: Config['services'] = new Map();
  for (const { name } of sections) {
    const { enabled, port, tlsPort, publicUrl, ...settings } = data[name] as Listener & Record<string, unknown>;
    services.set(name, { listener: { enabled, port, tlsPort, publicUrl }, settings });
    delete suite[name];
  }
  return { suite: suite as SuiteConfig, services, file };
}

/** A known key with nothing behind it, as a section whose keys are all commented out, is one that is left out. */
function leaveOutEmpty(value: Record<string, unknown>, settings: readonly Setting[]): void {
  for (const { path } of settings) {
    let place: Record<string, unknown> | undefined = value;
    for (const key of path) {
      if (typeof place !== 'object') break;
      if (place[key] === null) delete place[key];
      place = place[key] as Record<string, unknown> | undefined;
    }
  }
}

/** Puts variables over the file. @returns which variable a key came from */
function applyVariables(
  value: Record<string, unknown>,
  settings: readonly Setting[],
  env: Environment,
  problems: Problem[],
): Map<string, string> {
  const origins = new Map<string, string>();
  const byVariable = new Map(settings.map((setting) => [setting.variable, setting]));
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('LARDER_') || text === undefined || text === '' || name.startsWith('LARDER_TEST_')) continue;
    const setting = byVariable.get(name);
    if (!setting) {
      const near = nearest(name, [...byVariable.keys()]);
      problems.push({ where: name, message: `there is no such setting${near ? `; did you mean ${near}?` : ''}` });
      continue;
    }
    setIn(value, setting.path, readVariable(setting, text));
    origins.set(setting.path.join('.'), name);
  }
  const gap = env.AIRGAPPED_MODE?.trim().toLowerCase();
  if (gap === 'true' || gap === '1') {
    value.mode = 'airgapped';
    origins.set('mode', 'AIRGAPPED_MODE');
  } else if (gap !== undefined && !['', 'false', '0'].includes(gap))
    problems.push({ where: 'AIRGAPPED_MODE', message: 'true or false' });
  applyProxies(value, env, origins);
  return origins;
}

/** The variables that every client knows, where nothing of ours is set. Many leave the scheme out, as clients allow. */
function applyProxies(value: Record<string, unknown>, env: Environment, origins: Map<string, string>): void {
  const known = { httpProxy: 'HTTP_PROXY', httpsProxy: 'HTTPS_PROXY', noProxy: 'NO_PROXY' };
  const upstream = value.upstream as Record<string, unknown> | undefined;
  for (const [key, name] of Object.entries(known)) {
    const variable = env[name] ? name : name.toLowerCase();
    const text = env[variable];
    if (!text || upstream?.[key] !== undefined) continue;
    setIn(value, ['upstream', key], key === 'noProxy' || text.includes('://') ? text : `http://${text}`);
    origins.set(`upstream.${key}`, variable);
  }
}

function setIn(value: Record<string, unknown>, path: readonly string[], to: unknown): void {
  let place = value;
  for (const key of path.slice(0, -1)) {
    place[key] ??= {};
    // what is no section stays as it is, to be refused as that
    if (typeof place[key] !== 'object') return;
    place = place[key] as Record<string, unknown>;
  }
  place[path.at(-1)!] = to;
}

function problemOf(
  issue: z.core.$ZodIssue,
  source: SettingsFile,
  origins: Map<string, string>,
  settings: readonly Setting[],
): Problem {
  const key = issue.path.join('.');
  const origin = issue.path
    .map((_, length) => origins.get(issue.path.slice(0, length + 1).join('.')))
    .findLast((found) => found !== undefined);
  const where = [key || 'settings', origin ?? source.lineOf(issue.path)].filter(Boolean).join(', ');
  if (issue.code !== 'unrecognized_keys') return { where, message: issue.message };
  const known = settings
    .filter(({ path }) => path.slice(0, issue.path.length).join('.') === key)
    .map(({ path }) => path[issue.path.length]!);
  const words = issue.keys.map((name) => {
    const near = nearest(name, [...new Set(known)]);
    return `"${name}"${near ? ` (did you mean "${near}"?)` : ''}`;
  });
  const line = source.lineOf([...issue.path, issue.keys[0]!]);
  return { where: [key || 'settings', line].filter(Boolean).join(', '), message: `there is no ${words.join(', ')}` };
}

function refusal(problems: readonly Problem[]): MirrorError {
  const shown = problems.map(({ where, message }) => `  ${where}: ${message}`).join('\n');
  return new MirrorError(
    'bad-request',
    'settings',
    `these settings are wrong:\n${shown}\nconfig/larder.yaml explains every one`,
  );
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';

const run = promisify(execFile);
const LIMIT = 20_000;
const MOST_OUTPUT = 4 << 20;

/** A registry that npm asks: for a scope, or for all that has no registry of its own. */
export interface NpmRegistry {
  url: string;
  /** `@acme` */
  scope?: string;
  token?: string;
  username?: string;
  password?: string;
  /** Its secret stands in a variable of the environment (`${NPM_TOKEN}`), and those are not read. */
  secretInVariable?: true;
  caFile?: string;
  /** PEM. */
  ca: string[];
}

/** What of npm's settings matters here; a private value, such as an address with a password in it, is left out of it. */
const settingsSchema = z.looseObject({
  registry: z.string().optional(),
  userconfig: z.string().optional(),
  globalconfig: z.string().optional(),
  cafile: z.string().nullish(),
  ca: z.union([z.string(), z.array(z.string())]).nullish(),
});
type Settings = z.infer<typeof settingsSchema>;

/**
 * The registries that npm on this machine is configured with: environment, the user's and the global `.npmrc`, or its
 * built-in default; a project's `.npmrc` is nobody's business here. Nothing here names one. Credentials npm tells nobody,
 * so they are read where npm reads them: in the two files.
 * Throws `unavailable`, saying what to set instead.
 */
export async function npmRegistries(npm: string, signal?: AbortSignal): Promise<NpmRegistry[]> {
  const settings = await ask(npm, signal);
  const files = await Promise.all([settings?.userconfig, settings?.globalconfig].map(readNpmrc));
  const lines = new Map([...files.flat()].reverse());
  const url = usable(settings?.registry ?? lines.get('registry'));
  if (!settings || !url) throw noRegistry();
  const common = { caFile: settings.cafile || undefined, ca: [settings.ca ?? []].flat().filter((pem) => pem !== '') };
  const scoped = new Map([...lines].filter(([key]) => isScoped(key)));
  for (const [key, value] of Object.entries(settings)) if (isScoped(key)) scoped.set(key, String(value));
  const registries: NpmRegistry[] = [{ url, ...credentialsIn(lines, url), ...common }];
  for (const [key, value] of [...scoped].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const own = usable(value);
    if (own && own !== url)
      registries.push({ url: own, scope: key.slice(0, key.indexOf(':')), ...credentialsIn(lines, own), ...common });
  }
  return registries;
}

function noRegistry(): MirrorError {
  return new MirrorError(
    'unavailable',
    'settings',
    'no origin is set, and there is no npm on this machine that could tell one; set npm.origins (or LARDER_NPM_ORIGINS)',
  );
}

function isScoped(key: string): boolean {
  return /^@[a-z0-9._~-]+:registry$/i.test(key);
}

function usable(text: string | undefined): string | undefined {
  const url = URL.parse(text ?? '');
  if (!url || !/^https?:$/.test(url.protocol)) return undefined;
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}

/** `--global`: npm passes over the `.npmrc` of the folder that it is started in. */
async function ask(npm: string, signal?: AbortSignal): Promise<Settings | undefined> {
  try {
    const args = ['config', 'list', '--long', '--json', '--global'];
    const { stdout } = await run(npm, args, { timeout: LIMIT, maxBuffer: MOST_OUTPUT, signal });
    return settingsSchema.parse(JSON.parse(stdout));
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

/** The settings of an `.npmrc`, a line each. */
async function readNpmrc(path: string | undefined): Promise<[key: string, value: string][]> {
  const text = path === undefined ? '' : await readFile(path, 'utf8').catch(() => '');
  return text.split(/\r?\n/).flatMap((line) => {
    const [, key, value] = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined || value === undefined) return [];
    return [[unquoted(key), unquoted(value)]];
  });
}

function unquoted(text: string): string {
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}

type Login = Pick<NpmRegistry, 'token' | 'username' | 'password' | 'secretInVariable'>;

/** `//host/path/:_authToken` and its like, of the longest path that the registry's begins with, as npm finds them. */
export function credentialsIn(lines: ReadonlyMap<string, string>, registry: string): Login {
  const { host, pathname } = new URL(registry);
  for (let place = `//${host}${pathname}`; place.length > 2; place = place.replace(/([^/]+|\/)$/, '')) {
    const found = loginAt(lines, place);
    if (found) return found;
  }
  return {};
}

function loginAt(lines: ReadonlyMap<string, string>, place: string): Login | undefined {
  const said = (key: string) => lines.get(`${place}:${key}`);
  const [token, username, password, auth] = [said('_authToken'), said('username'), said('_password'), said('_auth')];
  if ([token, username, password, auth].some((value) => value?.includes('${'))) return { secretInVariable: true };
  if (token) return { token };
  if (username && password) return { username, password: decoded(password) };
  const pair = decoded(auth ?? '');
  const colon = pair.indexOf(':');
  return colon > 0 ? { username: pair.slice(0, colon), password: pair.slice(colon + 1) } : undefined;
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

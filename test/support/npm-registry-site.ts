import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AirGap } from './air-gap.ts';
import { type Program, programsFor, type RegistryClient, registryClient } from './npm-registry-clients.ts';
import { clientHome, type Ran, runCommand } from './python-clients.ts';

/** A home of one client in which its settings name a registry, and nothing of this machine's. */
export interface ClientHome {
  client: RegistryClient;
  path: string;
  /** Runs it, in a folder of the home. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** The same, and it must work. @returns what it printed */
  ok(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Runs Node where the client runs, in the project; it must work. */
  node(args: readonly string[]): Promise<string>;
  /** Runs it on a terminal and answers what it asks, each question once and in this order. @returns all that stood there */
  answer(args: readonly string[], answers: readonly [question: string, answer: string][]): Promise<Ran>;
  /** Writes its settings anew. */
  settle(settings: Settings): Promise<void>;
  /** What it downloaded is forgotten. */
  forget(): Promise<void>;
  remove(): Promise<void>;
}

export interface RunOptions {
  /** In the home; `project` when unset. */
  folder?: string;
  env?: NodeJS.ProcessEnv;
}

export interface Settings {
  /** No trailing slash. */
  url: string;
  token?: string;
  /** Reading needs a login too, and one is made by the client or given by `token`. */
  closed?: boolean;
}

/** @param gap where the client runs; here when unset */
export async function homeOf(client: RegistryClient, settings: Settings, gap?: AirGap): Promise<ClientHome> {
  const home = await clientHome();
  const program = await registryClient(client);
  const env = { ...home.env, ...(await environmentOf(home.path, client)) };
  await mkdir(join(home.path, 'project'));
  const settle = (given: Settings) => writeSettings(home.path, client, given);
  await settle(settings);
  const placed = ([command, ...first]: Program, args: readonly string[]): [string, string[]] =>
    gap ? gap.inside(command, [...first, ...args]) : [command, [...first, ...args]];
  const start = (command: [string, string[]], options: RunOptions = {}) =>
    runCommand(...command, {
      cwd: join(home.path, options.folder ?? 'project'),
      env: { ...env, ...options.env },
      timeout: 180_000,
    });
  const run: ClientHome['run'] = (args, options) => start(placed(program, args), options);
  return {
    client,
    path: home.path,
    run,
    settle,
    ok: async (args, options) => outputOf(`${client} ${args.join(' ')}`, await run(args, options)),
    node: async (args) => outputOf(args.join(' '), await start(placed([process.execPath], args))),
    answer: (args, answers) => answered(placed(program, args), answers, { cwd: join(home.path, 'project'), env }),
    forget: () => forgetDownloads(home.path),
    remove: home.remove,
  };
}

function outputOf(what: string, { code, stdout, stderr }: Ran): string {
  if (code !== 0) throw new Error(`${what} ended with ${code}:\n${stdout}\n${stderr}`);
  return stdout;
}

const CACHES = ['.npm', 'cache', 'data', '.bun', '.yarn', 'project/.yarn'];

async function forgetDownloads(home: string): Promise<void> {
  for (const folder of CACHES) await rm(join(home, folder), { recursive: true, force: true });
}

async function environmentOf(home: string, client: RegistryClient): Promise<NodeJS.ProcessEnv> {
  return {
    PATH: await programsFor(home, client === 'npm-10' ? 'npm-10' : 'npm-11'),
    NO_COLOR: '1',
    CI: 'true',
    // its own way to be quiet about newer versions of itself
    NO_UPDATE_NOTIFIER: '1',
    npm_config_update_notifier: 'false',
    BUN_INSTALL_CACHE_DIR: join(home, '.bun/cache'),
    YARN_ENABLE_TELEMETRY: '0',
    // yarn 1 keeps what it knows of root in a folder of the machine's, unless it takes it for a play
    FAKEROOTKEY: '1',
  };
}

/** A registry and a token, as each client wants to be told. */
async function writeSettings(
  home: string,
  client: RegistryClient,
  { url, token, closed = token !== undefined }: Settings,
): Promise<void> {
  if (client === 'berry') {
    const lines = [
      ...[`npmRegistryServer: "${url}"`, 'unsafeHttpWhitelist: ["127.0.0.1"]', 'nodeLinker: node-modules'],
      // it does not take what was published a moment ago, unless that is a site's own
      `npmPreapprovedPackages: ["@site/*"]`,
      // it keeps its logins there, and shows them for packages with a scope alone unless it is told to
      ...['enableGlobalCache: true', ...(closed ? ['npmRegistries:', `  "${url}":`, '    npmAlwaysAuth: true'] : [])],
      ...(token ? [`    npmAuthToken: "${token}"`] : []),
    ];
    return writeFile(join(home, '.yarnrc.yml'), `${lines.join('\n')}\n`);
  }
  if (client === 'bun') {
    const registry = JSON.stringify({ url: `${url}/`, ...(token ? { token } : {}) }).replaceAll('":', '"=');
    await mkdir(join(home, 'config'), { recursive: true });
    return writeFile(join(home, 'config/.bunfig.toml'), `[install]\nregistry = ${registry}\n`);
  }
  // yarn 1 shows it for packages with a scope alone, unless it is told to
  const login = token ? ['always-auth=true', `${url.replace(/^https?:/, '')}/:_authToken=${token}`] : [];
  return writeFile(join(home, '.npmrc'), `${[`registry=${url}/`, ...login].join('\n')}\n`);
}

/** A program on a terminal of its own: some ask nothing where there is none. */
async function answered(
  [command, args]: [string, string[]],
  answers: readonly [question: string, answer: string][],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<Ran> {
  const quoted = [command, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const child = spawn('script', ['-qefc', quoted, '/dev/null'], {
    ...options,
    // who is in CI is not asked
    env: { ...options.env, CI: undefined, TERM: 'dumb' },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 60_000,
  });
  const left = [...answers];
  let [all, unread] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    all += text;
    unread += text;
    if (left.length === 0 || !unread.includes(left[0]![0])) return;
    unread = '';
    child.stdin.write(`${left.shift()![1]}\r`);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (left.length > 0) throw new Error(`${command} ${args.join(' ')} never asked for "${left[0]![0]}":\n${all}`);
  return { code: code ?? -1, stdout: all, stderr: '' };
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { type Dispatcher, fetch, type RequestInit, type Response } from 'undici';
import { MirrorError } from '../../../shared/model/errors.ts';
import { sideBySide } from '../../../shared/storage/side-by-side.ts';
import { dispatcherFor } from '../../../shared/upstream/egress.ts';
import { type ReadLock, readLock } from '../../npm/locks.ts';
import { tarballName } from '../../npm/package-name.ts';
import { openSession } from '../session.ts';
import { type Finding, good, tell, unknown, wrong } from './findings.ts';

/** Milliseconds for an answer: a connected Larder asks its origin. */
const PATIENCE = 60_000;
/** Packages that are asked for at once, and names that are told. */
const AT_ONCE = 8;
const MOST_NAMES = 20;

export function registerNpm(doctor: Command): void {
  doctor
    .command('npm')
    .description(
      'looks whether npm on this machine is set to a running Larder, and whether all of a lock can be had there',
    )
    .option('--url <url>', 'the registry (default: as the settings have it)')
    .option('--lockfile <file>', 'package-lock.json, pnpm-lock.yaml or yarn.lock of a project')
    .option('--token-file <file>', 'a token, where anonymous reads are off')
    .option('--ca <file>', 'PEM of an authority to trust')
    .action(examine);
}

interface Flags {
  url?: string;
  lockfile?: string;
  tokenFile?: string;
  ca?: string;
}

/** A registry, asked as its clients ask. */
interface Registry {
  url: string;
  ask(path: string, init?: RequestInit): Promise<Response>;
}

async function examine(flags: Flags, command: Command): Promise<void> {
  const session = await openSession(command);
  const { listener, settings } = session.config.services.get('npm')!;
  const url = (flags.url ?? listener.publicUrl ?? `http://127.0.0.1:${listener.port}`).replace(/\/+$/, '');
  const dispatcher = dispatcherFor(flags.ca === undefined ? {} : { ca: [await readText('--ca', flags.ca)] });
  const token = flags.tokenFile === undefined ? undefined : (await readText('--token-file', flags.tokenFile)).trim();
  const registry = registryAt(url, dispatcher, token);
  const lock = flags.lockfile === undefined ? undefined : await readLock(flags.lockfile, '.', ALL);
  const findings = async function* (): AsyncGenerator<Finding> {
    const connected = await checkConnection(registry);
    yield* connected;
    yield await checkSetting(url, (settings as { npm: string }).npm);
    if (!lock || connected.some(({ state }) => state === 'wrong')) return;
    yield* checkAddresses(lock, url);
    yield* await checkPackages(registry, lock);
  };
  try {
    await tell(findings(), session.json);
  } finally {
    await dispatcher.close();
  }
}

const ALL = { dev: true, optional: true };

function registryAt(url: string, dispatcher: Dispatcher, token: string | undefined): Registry {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return {
    url,
    ask: (path, init = {}) =>
      fetch(`${url}${path}`, {
        ...init,
        headers: { ...headers, ...(init.headers as Record<string, string> | undefined) },
        dispatcher,
        signal: AbortSignal.timeout(PATIENCE),
      }),
  };
}

async function checkConnection({ url, ask }: Registry): Promise<Finding[]> {
  try {
    const ping = await ask('/-/ping');
    await ping.body?.cancel();
    if (ping.status !== 200)
      return [wrong('connect', `${url} answers ${ping.status} to /-/ping: is that Larder's npm service?`)];
    const read = await ask('/-/v1/search?size=1&text=');
    await read.body?.cancel();
    if (read.status === 401 || read.status === 403) {
      const what =
        'it wants a token for reading, and this one is none of its own: --token-file, larder token create --read';
      return [good('connect', `${url} answers`), wrong('token', what)];
    }
    return [good('connect', `${url} answers`)];
  } catch (error) {
    return [wrong('connect', `${url} does not answer (${wordsOf(error)}): is Larder running there?`)];
  }
}

/** What npm asks in this folder, by its own word. */
async function checkSetting(url: string, npm: string): Promise<Finding> {
  try {
    const { stdout } = await promisify(execFile)(npm, ['config', 'get', 'registry', '--logs-max', '0'], {
      timeout: PATIENCE,
    });
    const set = stdout.trim().replace(/\/+$/, '');
    if (set === url) return good('setting', `npm here asks ${url}`);
    const host = URL.parse(set)?.host ?? 'something else';
    return wrong('setting', `npm here asks ${host}: npm config set registry ${url}/ (or larder snippets npm)`);
  } catch (error) {
    return unknown('setting', `npm could not be asked for its registry (${wordsOf(error)})`);
  }
}

/** Addresses in a lock that lead elsewhere: npm passes over them when it is told to, yarn 1 goes there. */
function* checkAddresses({ file, kind, text }: ReadLock, url: string): Generator<Finding> {
  const hosts = new Set<string>();
  for (const [, address] of text.matchAll(/resolved"?:?\s*"(https?:[^"#]+)/g)) {
    const host = URL.parse(address!)?.host;
    if (host && host !== new URL(url).host) hosts.add(host);
  }
  if (hosts.size === 0) return yield good('addresses', `${file} leads nowhere else`);
  const names = [...hosts].join(', ');
  if (kind === 'yarn')
    yield wrong(
      'addresses',
      `${file} leads to ${names}, and yarn 1 goes there: larder snippets npm has the line that changes it`,
    );
  else if (kind === 'npm')
    yield unknown('addresses', `${file} leads to ${names}: npm asks here instead with replace-registry-host=always`);
}

async function checkPackages({ ask, url }: Registry, lock: ReadLock): Promise<Finding[]> {
  const missing: string[] = [];
  await sideBySide(lock.packages, AT_ONCE, async ({ name, version, optional }) => {
    const { status } = await ask(`/${name}/-/${tarballName(name, version)}`, { method: 'HEAD' });
    if (status === 200) return;
    missing.push(`${name}@${version}${status === 404 ? '' : ` (${status})`}${optional ? ' (optional)' : ''}`);
  });
  const strangers = lock.strangers.map((one) => unknown('elsewhere', `${one}: no registry has it`));
  if (missing.length === 0)
    return [
      good('packages', `all ${lock.packages.length} packages of ${lock.file} can be had from ${url}`),
      ...strangers,
    ];
  const names = missing.sort().slice(0, MOST_NAMES).join(', ');
  const more = missing.length > MOST_NAMES ? ` and ${missing.length - MOST_NAMES} more` : '';
  const what = `${missing.length} of ${lock.packages.length} packages of ${lock.file} are not to be had from ${url}: ${names}${more}`;
  return [wrong('packages', `${what}. Carry them: a bundle with "npm: { lockfile: ${lock.file} }"`), ...strangers];
}

async function readText(option: string, file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new MirrorError('bad-request', 'settings', `${option}: ${file} cannot be read (${error.code})`);
  });
}

function wordsOf(error: unknown): string {
  const { message = String(error), cause } = (error ?? {}) as Error;
  const { code, message: deeper } = (cause ?? {}) as NodeJS.ErrnoException;
  return code ?? deeper ?? message;
}

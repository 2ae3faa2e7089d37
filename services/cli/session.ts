import type { Command } from 'commander';
import { type Config, environment, loadConfig } from '../../shared/config/load.ts';
import { storeOf } from '../../shared/service/serve.ts';
import type { Service } from '../../shared/service/service.ts';
import type { Store } from '../../shared/storage/store.ts';
import { createTelemetry, type Telemetry } from '../../shared/telemetry/telemetry.ts';
import { loadServices } from '../load.ts';
import { Progress } from './progress.ts';

/** What every verb stands on: settings, services, a log. */
export interface Session {
  config: Config;
  services: Service<unknown>[];
  telemetry: Telemetry;
  progress: Progress;
  /** JSON lines are wanted instead of words. */
  json: boolean;
  now(): number;
  /** Aborted by the first SIGINT or SIGTERM; a second one ends the process at once. */
  signal: AbortSignal;
}

/** What `--store` takes, for every verb's help. */
export const STORE_OPTION = 'a directory, or s3://bucket?endpoint=… (default: the setting "store")';

interface GlobalOptions {
  config?: string;
  json?: boolean;
  store?: string;
}

/** Reads settings for a verb. Short commands log only what is wrong; a server logs what it does. */
export async function openSession(command: Command, options: { server?: boolean } = {}): Promise<Session> {
  const given = command.optsWithGlobals<GlobalOptions>();
  const services = await loadServices();
  const overrides = { store: given.store };
  const config = loadConfig({ file: given.config, env: environment(), sections: services, overrides });
  const level = options.server
    ? config.suite.log.level
    : config.suite.log.level === 'info'
      ? 'error'
      : config.suite.log.level;
  const telemetry = createTelemetry({ level, processMetrics: options.server });
  const json = given.json ?? false;
  const progress = new Progress({
    out: process.stderr,
    json,
    tty: process.stderr.isTTY ?? false,
    now: Date.now,
  });
  return { config, services, telemetry, progress, json, now: Date.now, signal: stopSignal() };
}

/** Runs a verb on the store, and closes it whatever happens. */
export async function withStore<T>(session: Session, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await storeOf(session.config, session.telemetry, session.now);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Milliseconds in which signals are one: npm and a launcher pass on a Ctrl-C that the terminal gave to all of them. */
const ECHO = 500;

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let first: number | undefined;
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (first === undefined) stop.abort(new DOMException('stopped', 'AbortError'));
      first ??= performance.now();
      if (performance.now() - first > ECHO) process.exit(130);
    });
  }
  return stop.signal;
}

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
  now(): number;
  /** Aborted by the first SIGINT or SIGTERM; a second one ends the process at once. */
  signal: AbortSignal;
}

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
  const progress = new Progress({
    out: process.stderr,
    json: given.json ?? false,
    tty: process.stderr.isTTY ?? false,
    now: Date.now,
  });
  return { config, services, telemetry, progress, now: Date.now, signal: stopSignal() };
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

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      stop.abort(new DOMException('stopped', 'AbortError'));
      process.once(name, () => process.exit(130));
    });
  }
  return stop.signal;
}

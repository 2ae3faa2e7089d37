import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadServices } from '../../services/load.ts';
import { type Environment, loadConfig } from '../../shared/config/load.ts';
import { serve } from '../../shared/service/serve.ts';
import type { Context, Service } from '../../shared/service/service.ts';
import type { Store } from '../../shared/storage/store.ts';
import { createTelemetry, type Telemetry } from '../../shared/telemetry/telemetry.ts';
import { temporaryFolder } from './bundles.ts';

export { larder, type SpawnedLarder, spawnLarder } from './spawn-larder.ts';

/** A suite in this process. */
export interface TestLarder {
  /** Where a service answers; no trailing slash. */
  url(service: string): string;
  /** The same with TLS; the service must have a tlsPort. */
  tlsUrl(service: string): string;
  adminUrl: string;
  store: Store;
  telemetry: Telemetry;
  /** What a service lives in. */
  context(service: string): Context<unknown>;
  /** Log lines so far. */
  log(): Record<string, unknown>[];
  /** Downloads and questions in the background are over. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface TestLarderOptions {
  mode?: 'connected' | 'airgapped';
  /** All there are, when unset. */
  services?: Service<unknown>[];
  /** As a settings file says it: `{ access: { anonymousRead: false }, pypi: { … } }`. */
  config?: Record<string, unknown>;
  env?: Environment;
  /** A directory to find again; else one of its own, which goes at the end. */
  store?: string;
  now?(): number;
}

/** Starts services on free ports, over a store of their own. */
export async function startLarder(options: TestLarderOptions = {}): Promise<TestLarder> {
  const folder = await temporaryFolder();
  try {
    return await startIn(folder, options);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

async function startIn(
  folder: { path: string; remove(): Promise<void> },
  options: TestLarderOptions,
): Promise<TestLarder> {
  const services = options.services ?? (await loadServices());
  const lines: string[] = [];
  const telemetry = createTelemetry({ stream: { write: (line) => void lines.push(line) } });
  const config = loadConfig({
    file: await settingsFile(folder.path, services, options),
    env: options.env ?? {},
    sections: services,
  });
  const suite = await serve({ config, services, telemetry, now: options.now ?? Date.now, version: 'test' });
  const running = (name: string) => {
    const found = suite.services.find(({ service }) => service.name === name);
    if (!found) throw new Error(`${name} does not run here`);
    return found;
  };
  return {
    url: (name) => running(name).url,
    tlsUrl: (name) => running(name).tlsUrl!,
    adminUrl: suite.adminUrl,
    context: (name) => running(name).context,
    store: suite.store,
    telemetry,
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    async settled() {
      for (const one of suite.services) await one.settled();
    },
    async close() {
      await suite.close();
      await folder.remove();
    },
  };
}

/** JSON is YAML: one file with free ports and what the test wants. */
async function settingsFile(
  folder: string,
  services: readonly Service<unknown>[],
  { mode = 'connected', config = {}, store = join(folder, 'store') }: TestLarderOptions,
): Promise<string> {
  const sections = services.map(({ name }) => [name, { port: 0, ...(config[name] as object | undefined) }]);
  const settings = { mode, store, admin: { port: 0 }, ...config, ...Object.fromEntries(sections) };
  const file = join(folder, 'larder.yaml');
  await writeFile(file, JSON.stringify(settings));
  return file;
}

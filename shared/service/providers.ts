import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BundleObjects } from '../bundle/bundle-store.ts';
import type { OpenedBundle } from '../bundle/open.ts';
import type { SuiteConfig } from '../config/schema.ts';
import { type Store, storeOver } from '../storage/store.ts';
import { type AppOptions, createServiceApp, refusing } from './app.ts';
import type { Provider } from './gather.ts';
import { listen } from './listen.ts';
import { outward, type SuiteOptions, storeOf } from './serve.ts';

type ProvidersOptions = SuiteOptions;

/** Services on loopback for the length of one command, over the store of the settings. */
export async function withProviders<T>(
  options: ProvidersOptions,
  work: (providers: Provider[], store: Store) => Promise<T>,
): Promise<T> {
  const store = await storeOf(options.config, options.telemetry, options.now);
  try {
    return await provide(options, store, options.config.suite, work);
  } finally {
    await store.close();
  }
}

/** The same over a bundle as it stands on its medium, with nobody to ask: what it lacks comes to light. */
export async function withBundle<T>(
  bundle: OpenedBundle,
  options: ProvidersOptions,
  work: (providers: Provider[], store: Store) => Promise<T>,
): Promise<T> {
  const workDir = await mkdtemp(join(tmpdir(), 'larder-prove-'));
  const objects = await BundleObjects.open(bundle);
  const store = await storeOver(objects, { now: options.now, location: bundle.dir, workDir, indexPath: ':memory:' });
  try {
    return await provide(options, store, refusing(options.config.suite), work);
  } finally {
    await store.close();
    await rm(workDir, { recursive: true, force: true });
  }
}

async function provide<T>(
  options: ProvidersOptions,
  store: Store,
  suite: Pick<SuiteConfig, keyof AppOptions['suite']>,
  work: (providers: Provider[], store: Store) => Promise<T>,
): Promise<T> {
  const { config, telemetry, now, version } = options;
  const closers: (() => Promise<void>)[] = [];
  const providers: Provider[] = [];
  try {
    for (const service of options.services) {
      const { settings } = config.services.get(service.name)!;
      const running = await createServiceApp(service, {
        settings: structuredClone(settings),
        suite,
        store,
        telemetry,
        now,
        ...outward(config, version, now),
      });
      closers.push(() => running.close());
      const { url, drain } = await listen(running.app, { host: '127.0.0.1', port: 0, setting: `${service.name}.port` });
      closers.unshift(() => drain(1000));
      providers.push({ service, context: running.context, url });
    }
    return await work(providers, store);
  } finally {
    for (const close of closers) await close();
  }
}

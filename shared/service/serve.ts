import { readFileSync } from 'node:fs';
import type { Config } from '../config/load.ts';
import type { Delivery } from '../storage/delivery.ts';
import { openStore, type Store } from '../storage/store.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { httpOrigins } from '../upstream/http-upstream.ts';
import { passthrough } from '../upstream/passthrough.ts';
import { adminApp } from './admin.ts';
import { type AppOptions, createServiceApp, type RunningService } from './app.ts';
import { type Certificate, certificateOf } from './certificate.ts';
import { deliveryOf } from './delivery.ts';
import { type Listening, listen } from './listen.ts';
import type { Service } from './service.ts';
import type { OpenShelf } from './shelf.ts';

export interface SuiteOptions {
  config: Config;
  services: readonly Service<unknown>[];
  /** All services that there are, also those that do not run here: what they hold can be shown. */
  known?: readonly Service<unknown>[];
  telemetry: Telemetry;
  now(): number;
  version: string;
}

/** Services that answer on their ports, over one store. */
export interface RunningSuite {
  services: (RunningService & { url: string; tlsUrl?: string })[];
  adminUrl: string;
  store: Store;
  /** Lets running requests finish, ends downloads, closes the store; the same however often it is called. */
  close(): Promise<void>;
}

/** Opens the store that the settings name. @param delivery for those who serve clients; else all bytes go through us */
export function storeOf(config: Config, telemetry: Telemetry, now: () => number, delivery?: Delivery): Promise<Store> {
  const { store, storeAccessKey, storeSecretKey, workDir } = config.suite;
  const credentials =
    storeAccessKey && storeSecretKey ? { accessKeyId: storeAccessKey, secretAccessKey: storeSecretKey } : undefined;
  return openStore(store, { now, workDir, credentials, delivery, log: telemetry.log });
}

/** The ways to origins, by the settings. */
export function outward(
  config: Config,
  version: string,
  now: () => number,
): Pick<AppOptions, 'origins' | 'passthrough'> {
  const { upstream } = config.suite;
  const egress = {
    proxy: { http: upstream.httpProxy, https: upstream.httpsProxy, none: upstream.noProxy },
    ca: upstream.caFile ? [readFileSync(upstream.caFile, 'utf8')] : [],
    connectTimeout: upstream.connectSeconds * 1000,
    headersTimeout: upstream.headersSeconds * 1000,
    idleTimeout: upstream.idleSeconds * 1000,
  };
  return {
    origins: httpOrigins({ ...egress, userAgent: `larder/${version}`, now }),
    passthrough: passthrough(egress),
  };
}

function shelvesOf(services: readonly Service<unknown>[], store: Store): OpenShelf[] {
  return services.flatMap(({ name, shelves = [] }) =>
    shelves.map((shelf) => ({ shelf, catalog: store.catalog(name), blobs: store.blobs })),
  );
}

/** Starts services and the second port. What was opened is closed again when one of them cannot start. */
export async function serve(options: SuiteOptions): Promise<RunningSuite> {
  const { config, telemetry, now, version } = options;
  const { suite } = config;
  const certificate = certificateOf(config, options.services, { log: telemetry.log, now });
  const store = await storeOf(config, telemetry, now, deliveryOf(config, options.services));
  const listening: Listening[] = [];
  const services: RunningSuite['services'] = [];
  let admin: Listening | undefined;
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= shutDown();
    return closing;
  };
  const shutDown = async () => {
    const grace = suite.drainSeconds * 1000;
    await Promise.all(listening.map((one) => one.drain(grace)));
    await Promise.all(services.map((one) => one.close()));
    // those who watch are told to the end that this one is on its way out
    await admin?.drain(Math.min(grace, 1000));
    await store.close();
  };
  try {
    for (const service of options.services) {
      const { listener, settings } = config.services.get(service.name)!;
      const publicUrl = listener.publicUrl ?? suite.publicUrl;
      const running = await createServiceApp(service, {
        settings,
        suite,
        store,
        telemetry,
        now,
        publicUrl,
        shelves: shelvesOf(options.known ?? options.services, store),
        ...outward(config, version, now),
      });
      services.push({ ...running, url: '' });
      const open = async (port: number, key: string, by?: Certificate) => {
        const setting = `${service.name}.${key}`;
        const opened = await listen(running.app, { host: suite.listen, port, setting, certificate: by });
        listening.push(opened);
        return opened.url;
      };
      services.at(-1)!.url = await open(listener.port, 'port');
      if (listener.tlsPort !== undefined)
        services.at(-1)!.tlsUrl = await open(listener.tlsPort, 'tlsPort', certificate);
    }
    const names = options.services.map(({ name }) => name);
    const app = adminApp({ store, telemetry, services: names, now, draining: () => closing !== undefined });
    admin = await listen(app, { host: suite.listen, port: suite.admin.port, setting: 'admin.port' });
    return { services, adminUrl: admin.url, store, close };
  } catch (error) {
    await close();
    throw error;
  }
}

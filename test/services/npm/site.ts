import { join } from 'node:path';
import { Writable } from 'node:stream';
import { configSchema, type NpmConfig } from '../../../services/npm/config.ts';
import { renderError } from '../../../services/npm/errors.ts';
import { Origins } from '../../../services/npm/origins.ts';
import { registryRoutes } from '../../../services/npm/registry-routes.ts';
import { type Rooms, roomsOf } from '../../../services/npm/rooms.ts';
import { npmUpstream } from '../../../services/npm/upstream.ts';
import { createServiceApp } from '../../../shared/service/app.ts';
import { listen } from '../../../shared/service/listen.ts';
import type { Service } from '../../../shared/service/service.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { createTelemetry } from '../../../shared/telemetry/telemetry.ts';
import { httpOrigins } from '../../../shared/upstream/http-upstream.ts';
import { passthrough } from '../../../shared/upstream/passthrough.ts';
import { temporaryFolder } from '../../support/bundles.ts';

/** The addresses of the registry that are no package's, over a store of their own. */
export interface Site {
  url: string;
  store: Store;
  rooms: Rooms;
  /** Milliseconds since the epoch; may be moved. */
  clock: { now: number };
  /** Lines that were logged. */
  log: Record<string, unknown>[];
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  post(path: string, body: string | Buffer<ArrayBuffer> | object, headers?: Record<string, string>): Promise<Answer>;
  /** The same store with nobody to ask, or with other settings. */
  again(options: Settings): Promise<Site>;
  close(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of it is what it tests
  json: any;
}

export interface Settings {
  /** The section `npm`. */
  config?: object;
  mode?: 'connected' | 'airgapped';
  anonymousRead?: boolean;
}

export async function startSite(settings: Settings = {}): Promise<Site> {
  const folder = await temporaryFolder();
  const clock = { now: Date.parse('2026-11-23T12:00:00Z') };
  const store = await openStore(join(folder.path, 'store'), { now: () => clock.now });
  const site = await over(store, clock, settings);
  return {
    ...site,
    async close() {
      await site.close();
      await store.close();
      await folder.remove();
    },
  };
}

async function over(store: Store, clock: { now: number }, settings: Settings): Promise<Site> {
  const { config = {}, mode = 'connected', anonymousRead = true } = settings;
  const log: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(line, _encoding, done) {
      log.push(JSON.parse(String(line)));
      done();
    },
  });
  let rooms: Rooms | undefined;
  const parsed = configSchema.parse(config);
  const origins = new Origins(parsed);
  const service: Service<NpmConfig> = {
    name: 'npm',
    defaultPort: 0,
    configSchema,
    upstream: (_config, http) => npmUpstream(origins, http),
    routes(context) {
      rooms = roomsOf(context, origins);
      return registryRoutes(rooms);
    },
    renderError,
    clientHint: () => '',
  };
  const running = await createServiceApp(service as Service<unknown>, {
    settings: parsed,
    suite: { mode, access: { anonymousRead }, upstream: { retries: 0 } as never },
    store,
    telemetry: createTelemetry({ level: 'warn', stream }),
    origins: httpOrigins({ userAgent: 'larder/test', now: () => clock.now, idleTimeout: 3000 }),
    passthrough: passthrough({ idleTimeout: 3000 }),
    now: () => clock.now,
  });
  const listening = await listen(running.app, { host: '127.0.0.1', port: 0, setting: 'npm.port' });
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const answer = await fetch(`${listening.url}${path}`, { redirect: 'manual', ...init });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined };
  };
  return {
    ...{ url: listening.url, store, rooms: rooms!, clock, log },
    get: (path, headers = {}) => ask(path, { headers }),
    post(path, body, headers = {}) {
      const sent = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
      return ask(path, { method: 'POST', body: sent, headers: { 'content-type': 'application/json', ...headers } });
    },
    again: (more) => over(store, clock, { config, ...more }),
    async close() {
      await listening.drain(1000);
      await running.close();
    },
  };
}

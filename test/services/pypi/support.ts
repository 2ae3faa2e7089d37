import { join } from 'node:path';
import { Writable } from 'node:stream';
import { configSchema, type PypiConfig } from '../../../services/pypi/config.ts';
import { renderError } from '../../../services/pypi/errors.ts';
import { Origins } from '../../../services/pypi/origins.ts';
import { routes } from '../../../services/pypi/routes.ts';
import { pypiUpstream } from '../../../services/pypi/upstream.ts';
import { createServiceApp, type RunningService } from '../../../shared/service/app.ts';
import { type Listening, listen } from '../../../shared/service/listen.ts';
import type { Context, Service } from '../../../shared/service/service.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { createTelemetry } from '../../../shared/telemetry/telemetry.ts';
import { httpOrigins } from '../../../shared/upstream/http-upstream.ts';
import { passthrough } from '../../../shared/upstream/passthrough.ts';
import { keep, temporaryFolder } from '../../support/bundles.ts';
import type { BuiltFile } from '../../support/wheels.ts';

export const JSON_V1 = 'application/vnd.pypi.simple.v1+json';
export const HTML_V1 = 'application/vnd.pypi.simple.v1+html';

/** An index in this process, over a store of its own, at a time that tests set. */
export interface Index {
  url: string;
  store: Store;
  context: Context<PypiConfig>;
  /** Milliseconds since the epoch; may be moved. */
  clock: { now: number };
  /** Lines that were logged. */
  log: Record<string, unknown>[];
  get(path: string, headers?: Record<string, string>, init?: RequestInit): Promise<Answer>;
  /** The JSON of a project's page. */
  page(project: string, prefix?: string): Promise<Page>;
  settled(): Promise<void>;
  /** The same store with nobody to ask, or with other settings. */
  again(options: { mode?: 'connected' | 'airgapped'; config?: object }): Promise<Index>;
  close(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

export interface Page {
  meta: Record<string, unknown>;
  name: string;
  versions?: string[];
  files: Record<string, unknown>[];
  'project-status'?: { status: string; reason?: string };
  _larder: { held?: number; listed: number };
}

/** @param config the section `pypi` of the settings */
export async function startIndex(config: object, options: { mode?: 'connected' | 'airgapped' } = {}): Promise<Index> {
  const folder = await temporaryFolder();
  const clock = { now: Date.parse('2026-11-23T12:00:00Z') };
  const store = await openStore(join(folder.path, 'store'), { now: () => clock.now });
  const index = await over(store, config, clock, options.mode ?? 'connected');
  return {
    ...index,
    async close() {
      await index.close();
      await store.close();
      await folder.remove();
    },
  };
}

async function over(store: Store, config: object, clock: { now: number }, mode: string): Promise<Index> {
  const log: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(line, _encoding, done) {
      log.push(JSON.parse(String(line)));
      done();
    },
  });
  const running = await createServiceApp(serviceOf() as Service<unknown>, {
    settings: configSchema.parse(config),
    suite: { mode: mode as 'connected', access: { anonymousRead: true }, upstream: { retries: 0 } as never },
    store,
    telemetry: createTelemetry({ level: 'warn', stream }),
    origins: httpOrigins({ userAgent: 'larder/test', now: () => clock.now, idleTimeout: 3000 }),
    passthrough: passthrough({ idleTimeout: 3000 }),
    now: () => clock.now,
  });
  const listening = await listen(running.app, { host: '127.0.0.1', port: 0, setting: 'pypi.port' });
  return indexOf({ running, listening, store, clock, log });
}

/** As `service.ts`, without bundles. */
function serviceOf(): Service<PypiConfig> {
  let origins: Origins | undefined;
  const originsFor = (config: PypiConfig) => {
    origins ??= new Origins(config);
    return origins;
  };
  return {
    name: 'pypi',
    defaultPort: 0,
    configSchema,
    upstream: (config, http) => pypiUpstream(originsFor(config), http),
    routes: (context) => routes(context, originsFor(context.config)),
    renderError,
    clientHint: () => '',
  };
}

interface Parts {
  running: RunningService;
  listening: Listening;
  store: Store;
  clock: { now: number };
  log: Record<string, unknown>[];
}

function indexOf({ running, listening, store, clock, log }: Parts): Index {
  const { url } = listening;
  const get: Index['get'] = async (path, headers = {}, init = {}) => {
    const answer = await fetch(`${url}${path}`, { headers, redirect: 'manual', ...init });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  return {
    url,
    store,
    context: running.context as Context<PypiConfig>,
    clock,
    log,
    get,
    async page(project, prefix = '') {
      const answer = await get(`${prefix}/simple/${project}/`, { accept: JSON_V1 });
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
      return JSON.parse(answer.text) as Page;
    },
    settled: () => running.settled(),
    again: ({ mode = 'connected', config }) => over(store, config ?? running.context.config!, clock, mode),
    async close() {
      await listening.drain(1000);
      await running.close();
    },
  };
}

/** Names of the files of a page. */
export function filenames(page: Page): string[] {
  return page.files.map((file) => String(file.filename));
}

/** Puts a wheel there as an upload would have. */
export async function upload(store: Store, project: string, file: BuiltFile): Promise<void> {
  const record = {
    filename: file.filename,
    url: '',
    hashes: { sha256: file.sha256 },
    size: file.bytes.length,
    'upload-time': '2026-11-23T11:00:00Z',
    yanked: false,
    'core-metadata': false,
  };
  const headers = { 'x-larder-file': JSON.stringify(record) };
  await keep(store, 'pypi', `file/private/${project}/${file.filename}`, file.bytes, { headers, origin: 'upload' });
}

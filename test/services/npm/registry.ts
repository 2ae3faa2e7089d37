import { request } from 'node:http';
import { service } from '../../../services/npm/service.ts';
import type { Service } from '../../../shared/service/service.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';

/** The whole registry in this process, at a time that tests set. */
export interface Registry {
  url: string;
  larder: TestLarder;
  /** Milliseconds since the epoch; may be moved. */
  clock: { now: number };
  /** The path goes out as it stands: nothing is normalised on the way. */
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Record<string, string | undefined>;
  bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of it is what it tests
  json: any;
}

export interface RegistryOptions {
  /** The section `npm`. */
  config?: object;
  mode?: 'connected' | 'airgapped';
  /** A directory to find again. */
  store?: string;
  /** The section `access`. */
  access?: object;
}

export const ABBREVIATED = 'application/vnd.npm.install-v1+json';
/** What npm says; pnpm, yarn and bun say the same. */
export const NPM_ACCEPT = `${ABBREVIATED}; q=1.0, application/json; q=0.8, */*`;

export async function startRegistry({ config = {}, mode, store, access }: RegistryOptions = {}): Promise<Registry> {
  const clock = { now: Date.parse('2026-11-23T12:00:00Z') };
  const larder = await startLarder({
    services: [service as Service<unknown>],
    mode,
    store,
    config: { npm: config, ...(access ? { access } : {}) },
    now: () => clock.now,
  });
  const url = larder.url('npm');
  return {
    url,
    larder,
    clock,
    get: (path, headers = {}, method = 'GET') => ask(url, { path, headers, method }),
    close: () => larder.close(),
  };
}

function ask(url: string, asked: { path: string; headers: Record<string, string>; method: string }): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, ...asked }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () => {
        const bytes = Buffer.concat(chunks);
        const isJson = /json/.test(answer.headers['content-type'] ?? '') && !answer.headers['content-encoding'];
        const json = isJson && bytes.length > 0 && answer.statusCode !== 206 ? JSON.parse(bytes.toString()) : undefined;
        resolve({ status: answer.statusCode!, headers: answer.headers as Answer['headers'], bytes, json });
      });
    });
    sent.once('error', reject);
    sent.end();
  });
}

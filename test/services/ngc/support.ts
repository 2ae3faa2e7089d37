import { request } from 'node:http';
import { service } from '../../../services/ngc/service.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import type { Service } from '../../../shared/service/service.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { type NgcOptions, type NgcOrigin, startNgc } from '../../support/ngc-origin.ts';

/** The test's NGC, and a Larder in front of it. */
export interface Site {
  ngc: NgcOrigin;
  larder: TestLarder;
  /** Ours; no trailing slash. */
  url: string;
  clock: { now: number };
  ask(path: string, init?: RequestInit): Promise<Answer>;
  /** The JSON of a 200. */
  json<T = Record<string, unknown>>(path: string, init?: RequestInit): Promise<T>;
  /** A token that may read, as NVIDIA's clients say it. */
  key(): Promise<string>;
  close(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  bytes: Buffer;
  text: string;
  json: unknown;
}

export const NOW = Date.parse('2026-11-24T12:00:00Z');

interface SiteOptions extends NgcOptions {
  mode?: 'connected' | 'airgapped';
  store?: string;
  ngc?: NgcOrigin;
  /** Settings of the suite. */
  suite?: Record<string, unknown>;
}

/** @param config the section `ngc` of the settings */
export async function startSite(config: Record<string, unknown> = {}, options: SiteOptions = {}): Promise<Site> {
  const ngc = options.ngc ?? (await startNgc(options));
  const clock = { now: NOW };
  const larder = await startLarder({
    mode: options.mode,
    store: options.store,
    services: [service as Service<unknown>],
    config: {
      ngc: { origin: ngc.url, authOrigin: ngc.authUrl, fileHosts: [new URL(ngc.cdnUrl).host], ...config },
      upstream: { retries: 0 },
      ...options.suite,
    },
    now: () => clock.now,
  });
  const url = larder.url('ngc');
  const ask: Site['ask'] = async (path, init) => {
    const answer = await fetch(url + path, {
      redirect: 'manual',
      ...init,
      headers: { 'accept-encoding': 'identity', ...init?.headers },
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return {
      status: answer.status,
      headers: answer.headers,
      bytes,
      get text() {
        return bytes.toString('utf8');
      },
      get json(): unknown {
        return JSON.parse(bytes.toString('utf8'));
      },
    };
  };
  return {
    ngc,
    larder,
    url,
    clock,
    ask,
    async json<T>(path: string, init?: RequestInit) {
      const answer = await ask(path, init);
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
      return answer.json as T;
    },
    async key() {
      const tokens = new Tokens(larder.store.objects, { now: () => clock.now });
      const { secret } = await tokens.create({ name: 'reader', actions: ['read'], services: ['ngc'] });
      return `nvapi-${secret}`;
    },
    async close() {
      await larder.close();
      if (!options.ngc) await ngc.close();
    },
  };
}

/** Asks for an address as it stands: `fetch` would set `..`, `//` and escapes right. */
export function askRaw(url: string, path: string, method = 'GET'): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode!, text: Buffer.concat(chunks).toString('utf8') }));
    });
    asked.once('error', reject);
    asked.end();
  });
}

/** What an error says. */
export function descriptionOf(answer: Pick<Answer, 'text'>): string {
  const { requestStatus } = JSON.parse(answer.text) as { requestStatus: { statusDescription: string } };
  return requestStatus.statusDescription;
}

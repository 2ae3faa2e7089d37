import { request } from 'node:http';
import { service } from '../../../services/ngc/service.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import type { Service } from '../../../shared/service/service.ts';
import { type Answer, type Ask, asking, jsonOf, NOW } from '../../support/asking.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { type NgcOptions, type NgcOrigin, startNgc } from '../../support/ngc-origin.ts';

/** The test's NGC, and a Larder in front of it. */
export interface Site {
  ngc: NgcOrigin;
  larder: TestLarder;
  /** Ours; no trailing slash. */
  url: string;
  clock: { now: number };
  ask: Ask;
  /** The JSON of a 200. */
  json<T = Record<string, unknown>>(path: string, init?: RequestInit): Promise<T>;
  /** A token that may read, as NVIDIA's clients say it. */
  key(): Promise<string>;
  close(): Promise<void>;
}

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
  const ask = asking(url);
  return {
    ngc,
    larder,
    url,
    clock,
    ask,
    json: (path, init) => jsonOf(ask, path, init),
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

import { service } from '../../../services/oci/service.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import type { Service } from '../../../shared/service/service.ts';
import type { ImageRegistry } from '../../support/image-registry.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';

/** A Larder in front of registries of the test's own. */
export interface Site {
  larder: TestLarder;
  url: string;
  clock: { now: number };
  ask(path: string, init?: RequestInit): Promise<Answer>;
  /** A token that may write, as a field. */
  writer(): Promise<Record<string, string>>;
  close(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  bytes: Buffer;
  text: string;
  json: unknown;
  /** Of an error: the spec's code, and its words. */
  code: string | undefined;
  message: string | undefined;
}

export const NOW = Date.parse('2026-11-24T12:00:00Z');

/** @param registries by name; further settings of each beside its address */
export async function startSite(
  registries: Record<string, ImageRegistry | { at: ImageRegistry; more: object }>,
  options: {
    mode?: 'connected' | 'airgapped';
    store?: string;
    access?: object;
    config?: Record<string, unknown>;
  } = {},
): Promise<Site> {
  const clock = { now: NOW };
  const list = Object.entries(registries).map(([name, one]) => {
    const { at, more } = 'at' in one ? one : { at: one, more: {} };
    return { name, url: at.url, authHosts: [at.authHost], ...more };
  });
  const larder = await startLarder({
    mode: options.mode,
    store: options.store,
    services: [service as Service<unknown>],
    config: {
      oci: { registries: list, ...options.config },
      upstream: { retries: 0 },
      ...(options.access ? { access: options.access } : {}),
    },
    now: () => clock.now,
  });
  const url = larder.url('oci');
  return {
    larder,
    url,
    clock,
    async ask(path, init) {
      const answer = await fetch(url + path, { redirect: 'manual', ...init });
      const bytes = Buffer.from(await answer.arrayBuffer());
      const isJson = /json/.test(answer.headers.get('content-type') ?? '') && bytes.length > 0;
      const json: unknown = isJson ? JSON.parse(bytes.toString('utf8')) : undefined;
      const [error] = (json as { errors?: { code: string; message: string }[] })?.errors ?? [];
      return {
        status: answer.status,
        headers: answer.headers,
        bytes,
        text: bytes.toString('utf8'),
        json,
        code: error?.code,
        message: error?.message,
      };
    },
    async writer() {
      const tokens = new Tokens(larder.store.objects, { now: () => clock.now });
      const { secret } = await tokens.create({ name: 'ci', actions: ['read', 'write'], services: ['oci'] });
      return { authorization: `Basic ${Buffer.from(`ci:${secret}`).toString('base64')}` };
    },
    close: () => larder.close(),
  };
}

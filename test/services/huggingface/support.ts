import { service } from '../../../services/huggingface/service.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import type { Service } from '../../../shared/service/service.ts';
import { type Hub, type HubOptions, startHub } from '../../support/hub.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';

/** The test's hub, and a Larder in front of it. */
export interface Site {
  hub: Hub;
  larder: TestLarder;
  /** Ours; no trailing slash. */
  url: string;
  clock: { now: number };
  ask(path: string, init?: RequestInit): Promise<Answer>;
  /** The JSON of a 200. */
  json<T = Record<string, unknown>>(path: string, init?: RequestInit): Promise<T>;
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
}

export const NOW = Date.parse('2026-11-24T12:00:00Z');

/** @param config the section `huggingface` of the settings */
export async function startSite(
  config: Record<string, unknown> = {},
  options: HubOptions & { mode?: 'connected' | 'airgapped'; store?: string; hub?: Hub; access?: object } = {},
): Promise<Site> {
  const hub = options.hub ?? (await startHub(options));
  const clock = { now: NOW };
  const larder = await startLarder({
    mode: options.mode,
    store: options.store,
    services: [service as Service<unknown>],
    config: {
      huggingface: { origin: hub.url, ...config },
      upstream: { retries: 0 },
      ...(options.access ? { access: options.access } : {}),
    },
    now: () => clock.now,
  });
  const url = larder.url('huggingface');
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
      // a large file is not read as text unless somebody wants it to be
      get text() {
        return bytes.toString('utf8');
      },
      get json(): unknown {
        const isJson = /json/.test(answer.headers.get('content-type') ?? '') && bytes.length > 0;
        return isJson ? JSON.parse(bytes.toString('utf8')) : undefined;
      },
    };
  };
  return {
    hub,
    larder,
    url,
    clock,
    ask,
    async json<T>(path: string, init?: RequestInit) {
      const answer = await ask(path, init);
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
      return answer.json as T;
    },
    async writer() {
      const tokens = new Tokens(larder.store.objects, { now: () => clock.now });
      const { secret } = await tokens.create({
        name: 'trainer',
        actions: ['read', 'write'],
        services: ['*'],
        shape: 'hf',
      });
      return { authorization: `Bearer ${secret}` };
    },
    async close() {
      await larder.close();
      if (!options.hub) await hub.close();
    },
  };
}

/** JSON to send. */
export function sent(method: string, body: unknown, headers: Record<string, string> = {}): RequestInit {
  return { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } };
}

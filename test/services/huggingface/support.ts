import { service } from '../../../services/huggingface/service.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import type { Service } from '../../../shared/service/service.ts';
import { type Ask, asking, jsonOf, NOW } from '../../support/asking.ts';
import { type Hub, type HubOptions, startHub } from '../../support/hub.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';

/** The test's hub, and a Larder in front of it. */
export interface Site {
  hub: Hub;
  larder: TestLarder;
  /** Ours; no trailing slash. */
  url: string;
  clock: { now: number };
  ask: Ask;
  /** The JSON of a 200. */
  json<T = Record<string, unknown>>(path: string, init?: RequestInit): Promise<T>;
  /** A token that may write, as a field. */
  writer(): Promise<Record<string, string>>;
  close(): Promise<void>;
}

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
  const ask = asking(url);
  return {
    hub,
    larder,
    url,
    clock,
    ask,
    json: (path, init) => jsonOf(ask, path, init),
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

import { service } from '../../../services/oci/service.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import type { Service } from '../../../shared/service/service.ts';
import { asking, NOW, type Answer as Plain } from '../../support/asking.ts';
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

export interface Answer extends Plain {
  /** Of an error: the spec's code, and its words. */
  code: string | undefined;
  message: string | undefined;
}

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
  const plainly = asking(url);
  return {
    larder,
    url,
    clock,
    async ask(path, init) {
      const answer = await plainly(path, init);
      const [error] = (answer.json as { errors?: { code: string; message: string }[] })?.errors ?? [];
      return { ...answer, code: error?.code, message: error?.message };
    },
    async writer() {
      const tokens = new Tokens(larder.store.objects, { now: () => clock.now });
      const { secret } = await tokens.create({ name: 'ci', actions: ['read', 'write'], services: ['oci'] });
      return { authorization: `Basic ${Buffer.from(`ci:${secret}`).toString('base64')}` };
    },
    close: () => larder.close(),
  };
}

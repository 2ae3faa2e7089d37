import type { Config } from '../config/load.ts';
import { isSameOrBelow } from '../http/elsewhere.ts';
import { MirrorError } from '../model/errors.ts';
import type { Delivery } from '../storage/delivery.ts';

const LOOPBACK = /^(localhost|.*\.localhost|127\.[\d.]+|\[?::1\]?)$/;
/** Not the address of anybody. */
const UNSPECIFIED = /^(0\.0\.0\.0|\[::\])$/;

/**
 * How large blobs are delivered, by the settings.
 * @param services those that run
 * Throws `bad-request` for what clients would fail at: a redirect that they cannot follow, or only with a wrong request.
 */
export function deliveryOf(config: Config, services: readonly { name: string }[]): Delivery | undefined {
  const { delivery: way, deliveryMinBytes: minBytes, deliveryEndpoint, accelPrefix, store } = config.suite;
  if (way === 'stream') return undefined;
  const isEngine = store.startsWith('s3://');
  if (way === 'accel') {
    if (!isEngine && store !== 'memory:') return { way, minBytes, accelPrefix };
    throw wrong('accel has nginx send files of a directory, and the store is none; for an engine there is redirect');
  }
  if (!isEngine)
    throw wrong('redirect sends clients to an S3 engine, and the store is none; for a directory there is accel');
  const endpoint = deliveryEndpoint ?? URL.parse(store)?.searchParams.get('endpoint') ?? undefined;
  const reached = endpoint === undefined ? undefined : URL.parse(endpoint);
  if (reached) refuseTraps(reached, config, services);
  return { way, minBytes, accelPrefix, endpoint: endpoint?.replace(/\/$/, '') };
}

/** Without an endpoint it is AWS's own, and in nobody's way. */
function refuseTraps(endpoint: URL, config: Config, services: readonly { name: string }[]): void {
  const fronts = frontsOf(config, services);
  const isOpen = !LOOPBACK.test(config.suite.listen) || fronts.some(({ url }) => !LOOPBACK.test(url.hostname));
  if (UNSPECIFIED.test(endpoint.hostname) || (LOOPBACK.test(endpoint.hostname) && isOpen)) {
    const what = `clients elsewhere cannot reach ${endpoint.origin}`;
    throw wrong(`${what}; set deliveryEndpoint to the engine as they reach it`);
  }
  for (const { key, url } of fronts) {
    if (url.protocol === 'https:' && endpoint.protocol === 'http:') {
      const what = `clients of ${url.origin} (${key}) would be sent to ${endpoint.origin}, from https to http`;
      throw wrong(`${what}; set deliveryEndpoint to an https address of the engine`);
    }
    // "shouldCopyHeaderOnRedirect" of Go's net/http looks at names of hosts, not at their ports
    if (isSameOrBelow(endpoint.hostname, url.hostname)) {
      const what = `${endpoint.hostname} is ${url.hostname} (${key}) or below it: podman, skopeo and oras would send their token along, and the engine would refuse it`;
      throw wrong(`${what}; set deliveryEndpoint to another name of the engine, or delivery to stream`);
    }
  }
}

/** Where clients reach us, as far as the settings say so. */
function frontsOf({ suite, services }: Config, running: readonly { name: string }[]): { key: string; url: URL }[] {
  return running.flatMap(({ name }) => {
    const own = services.get(name)?.listener.publicUrl;
    const shown = own ?? suite.publicUrl;
    return shown === undefined ? [] : [{ key: own ? `${name}.publicUrl` : 'publicUrl', url: new URL(shown) }];
  });
}

function wrong(why: string): MirrorError {
  return new MirrorError('bad-request', 'settings', `delivery: ${why}`);
}

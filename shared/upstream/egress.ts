import type { AgentOptions } from 'node:https';
import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';

/** How connections leave the site. */
export interface EgressOptions {
  /** Proxies for http and https origins, and hosts that need none (`.site,10.0.0.1:8080`). */
  proxy?: { http?: string; https?: string; none?: string };
  /** PEM of authorities that are trusted beside the usual ones. */
  ca?: readonly string[];
  /** Milliseconds. */
  connectTimeout?: number;
  headersTimeout?: number;
  /** Longest silence in a body. */
  idleTimeout?: number;
}

/** Connections to one host: more do not make one line faster. */
const CONNECTIONS = 64;

/** The way out for what is asked: proxies and authorities of the site, a limit for every wait. */
export function dispatcherFor(options: EgressOptions): Dispatcher {
  const ca = trusted(options);
  const timeout = options.connectTimeout ?? 10_000;
  const settings = {
    connections: CONNECTIONS,
    pipelining: 1,
    connect: { timeout, ...ca },
    headersTimeout: options.headersTimeout ?? 30_000,
    bodyTimeout: options.idleTimeout ?? 60_000,
    keepAliveTimeout: 10_000,
  };
  const { proxy } = options;
  if (!proxy?.http && !proxy?.https) return new Agent(settings);
  return new EnvHttpProxyAgent({
    ...settings,
    // a proxy is connected to by other settings: its own TLS, and the origin's inside of the tunnel
    proxyTls: { timeout, ...ca },
    requestTls: { timeout, ...ca },
    httpProxy: proxy.http ?? '',
    httpsProxy: proxy.https ?? '',
    noProxy: proxy.none ?? '',
  });
}

/** The same way out, for what is asked with Node's own agents. */
export function agentOptions(options: EgressOptions): AgentOptions {
  const { proxy } = options;
  return {
    keepAlive: true,
    maxSockets: CONNECTIONS,
    timeout: options.idleTimeout ?? 60_000,
    ...trusted(options),
    ...(proxy?.http || proxy?.https
      ? { proxyEnv: { http_proxy: proxy.http, https_proxy: proxy.https, no_proxy: proxy.none } }
      : {}),
  };
}

/** Given authorities replace the usual ones, so both are said. */
function trusted({ ca }: EgressOptions): { ca?: string[] } {
  return ca?.length ? { ca: [...getCACertificates('default'), ...ca] } : {};
}

import { MirrorError } from '../../shared/model/errors.ts';
import { type Credentials, splitCredentials } from '../../shared/upstream/credentials.ts';
import { credentialsIn, textIn } from '../../shared/upstream/origin-settings.ts';
import type { OriginConfig, PypiConfig } from './config.ts';
import { type PipIndex, pipIndex } from './pip-default.ts';

/** An index that is asked, ready to be asked. */
export interface Origin extends OriginConfig {
  /** With a slash at its end, without credentials. */
  url: string;
  credentials: Credentials | undefined;
  /** PEM of authorities that are trusted for it beside the usual ones. */
  ca: readonly string[];
  /** Hosts that its pages linked to; asked beside its own. */
  learnedHosts: Set<string>;
}

/** The name of the origin that pip's configuration gives. */
const DEFAULT_NAME = 'pypi';

/**
 * The origins in their order. When none is set it is what pip is configured with, which takes pip a moment to tell: it
 * is asked in the background, and whoever needs it first waits for it.
 */
export class Origins {
  readonly #config: PypiConfig;
  #list: Promise<Origin[]> | undefined;
  readonly #closing = new AbortController();

  constructor(config: PypiConfig) {
    this.#config = config;
  }

  /** Nobody will be asked, so nobody needs to know where, or a secret: the names that bundles use are enough. */
  withoutAsking(): void {
    const named = this.#config.origins.map((origin) => ({
      ...origin,
      tokenFile: undefined,
      passwordFile: undefined,
      caFile: undefined,
    }));
    const origins = named.length > 0 ? named : [byDefault({ url: 'http://origin.invalid/simple/' })];
    this.#list = Promise.resolve(origins.map(ready));
  }

  list(): Promise<Origin[]> {
    const list = this.#list ?? this.#read();
    this.#list = list;
    list.catch(() => {
      // pip may be there later
      if (this.#list === list) this.#list = undefined;
    });
    return list;
  }

  /** Ends the question to pip, if it is still going on. */
  close(): void {
    this.#closing.abort(new MirrorError('unavailable', 'settings', 'the index is shutting down; ask again'));
  }

  async named(name: string): Promise<Origin | undefined> {
    return (await this.list()).find((origin) => origin.name === name);
  }

  async #read(): Promise<Origin[]> {
    if (this.#config.origins.length > 0) return this.#config.origins.map(ready);
    return [ready(byDefault(await pipIndex(this.#config.python, this.#closing.signal)))];
  }
}

function byDefault(index: PipIndex): OriginConfig {
  return { name: DEFAULT_NAME, kind: 'simple', allow: [], deny: [], ...index };
}

function ready(config: OriginConfig): Origin {
  const { url, credentials } = splitCredentials(config.url);
  const ca = textIn(config, 'caFile');
  return {
    ...config,
    url: url.endsWith('/') || config.kind === 'find-links' ? url : `${url}/`,
    credentials: credentialsIn(config) ?? credentials,
    ca: ca ? [ca] : [],
    learnedHosts: new Set(),
  };
}

import { MirrorError } from '../../shared/model/errors.ts';
import { splitCredentials } from '../../shared/upstream/credentials.ts';
import { type Readied, readied, withoutFiles } from '../../shared/upstream/origin-settings.ts';
import type { OriginConfig, PypiConfig } from './config.ts';
import { type PipIndex, pipIndex } from './pip-default.ts';

/** An index that is asked, ready to be asked. */
export interface Origin extends OriginConfig, Readied {
  /** With a slash at its end unless it is one page, without credentials. */
  url: string;
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
    const named = this.#config.origins.map(withoutFiles);
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
  const origin = readied(config);
  return config.kind === 'find-links' ? { ...origin, url: splitCredentials(config.url).url } : origin;
}

import { MirrorError } from '../../shared/model/errors.ts';
import type { Catalog } from '../../shared/storage/catalog.ts';
import { type Readied, readied, withoutFiles } from '../../shared/upstream/origin-settings.ts';
import type { NpmConfig, OriginConfig } from './config.ts';
import { type NpmRegistry, npmRegistries } from './npm-default.ts';
import { scopeOf } from './package-name.ts';
import { PRIVATE } from './refs.ts';

/** A registry that is asked, ready to be asked. */
export interface Origin extends OriginConfig, Readied {
  url: string;
  /** npm has a secret for it that stands in a variable of the environment, which is not read here. */
  secretInVariable?: true;
}

/** The name of the origin that npm's `registry` gives; that of a scope is `scope-<scope>`. */
export const DEFAULT_NAME = 'npm';

/**
 * The origins in their order. When none is set they are what npm is configured with, which takes npm a moment to tell:
 * it is asked in the background, and whoever needs it first waits for it.
 */
export class Origins {
  readonly #config: NpmConfig;
  #list: (() => Promise<Origin[]>) | undefined;
  #read: Promise<Origin[]> | undefined;
  readonly #closing = new AbortController();

  constructor(config: NpmConfig) {
    this.#config = config;
  }

  /**
   * Nobody will be asked, so nobody needs to know where, or a secret: the names are enough, and where none is set, those
   * under which something is held.
   */
  withoutAsking(catalog: Pick<Catalog, 'segments' | 'generation'>): void {
    if (this.#config.origins.length > 0) {
      const list = this.#config.origins.map((origin) => readied(withoutFiles(origin)));
      this.#list = async () => list;
      return;
    }
    let known: { generation: number; list: Origin[] } | undefined;
    this.#list = async () => {
      const generation = catalog.generation();
      if (known?.generation !== generation) known = { generation, list: (await heldNames(catalog)).map(unasked) };
      return known.list;
    };
  }

  list(): Promise<Origin[]> {
    if (this.#list) return this.#list();
    const read = this.#read ?? this.#readList();
    this.#read = read;
    read.catch(() => {
      // npm may be there later
      if (this.#read === read) this.#read = undefined;
    });
    return read;
  }

  /** Ends the question to npm, if it is still going on. */
  close(): void {
    this.#closing.abort(new MirrorError('unavailable', 'settings', 'the registry is shutting down; ask again'));
  }

  async named(name: string): Promise<Origin | undefined> {
    return (await this.list()).find((origin) => origin.name === name);
  }

  /** Those that are asked for a package: the ones of its scope, if there are any; else the ones that are for everything. */
  async forName(name: string): Promise<Origin[]> {
    const all = await this.list();
    const scope = scopeOf(name)?.toLowerCase();
    const own = all.filter(({ scopes }) => scopes.some((one) => one.toLowerCase() === scope));
    return own.length > 0 ? own : all.filter(({ scopes }) => scopes.length === 0);
  }

  async #readList(): Promise<Origin[]> {
    if (this.#config.origins.length > 0) return this.#config.origins.map(readied);
    return (await npmRegistries(this.#config.npm, this.#closing.signal)).map(byDefault);
  }
}

/** Names of origins of which something is held, the default one first. */
async function heldNames(catalog: Pick<Catalog, 'segments'>): Promise<string[]> {
  const names = (await catalog.segments('tarball/')).filter((name) => name !== PRIVATE && name !== DEFAULT_NAME);
  return [DEFAULT_NAME, ...names];
}

function unasked(name: string): Origin {
  return readied({ name, url: 'http://origin.invalid/', scopes: [], allow: [], deny: [] });
}

function byDefault({ scope, ca, secretInVariable, ...registry }: NpmRegistry): Origin {
  const name = scope === undefined ? DEFAULT_NAME : nameOfScope(scope);
  const origin = readied({ name, scopes: scope === undefined ? [] : [scope], allow: [], deny: [], ...registry });
  return { ...origin, ca: [...ca, ...origin.ca], ...(secretInVariable ? { secretInVariable } : {}) };
}

/** The same on every machine, whatever else its npm is configured with: bundles carry it in their names. */
function nameOfScope(scope: string): string {
  return `scope-${scope
    .slice(1)
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')}`.slice(0, 32);
}

import type { Context } from '../../shared/service/service.ts';
import type { OciConfig } from './config.ts';
import { OciError } from './errors.ts';
import { repoKey } from './keys.ts';
import { Registries, type Registry } from './registries.ts';
import { checkRepositoryName, patternOf } from './repository-name.ts';

/** A repository, as the house knows it. */
export interface Repository {
  /** `docker.io/library/busybox`; of a local one its bare name. */
  name: string;
  /** Unset for a local one, which no origin is asked for. */
  registry?: Registry;
  /** What its registry calls it: `library/busybox`. */
  remote: string;
}

/** How a client named one. */
export interface Naming {
  /** The name between `/v2/` and what is asked for. */
  name: string;
  /** The host that the client gave beside it: `?ns=`, or in front of `/v2/`. */
  host?: string | undefined;
  /** The host by which the client reached us: as `ns` it says nothing. */
  ownHost?: string | undefined;
  agent?: string | undefined;
  /** Bare names are made here, and never an origin's. */
  writes?: boolean;
}

/** docker.io's own images are under `library/`, and nobody types that. */
const SHORT = 'docker.io';
const OLLAMA = 'registry.ollama.ai';

/** Finds the repository that a client means, in each of the ways in which clients address a mirror. */
export class Repositories {
  readonly registries: Registries;
  readonly #context: Pick<Context<OciConfig>, 'catalog' | 'config'>;
  readonly #private: RegExp[];

  constructor(context: Pick<Context<OciConfig>, 'catalog' | 'config'>) {
    this.#context = context;
    this.registries = new Registries(context.config);
    this.#private = context.config.private.map(patternOf);
  }

  /** Throws `NAME_INVALID`; `NAME_UNKNOWN` for a host that is not mirrored. */
  async find(naming: Naming): Promise<Repository> {
    const { host, ownHost } = naming;
    if (host !== undefined && host !== '' && host !== ownHost) return this.#at(this.#known(host), naming.name, host);
    const [first, ...rest] = naming.name.split('/');
    const prefixed = rest.length > 0 ? this.registries.find(first!) : undefined;
    if (prefixed) return this.#at(prefixed, rest.join('/'));
    const name = checkRepositoryName(naming.name);
    const ollama = /^ollama\//i.test(naming.agent ?? '') ? this.registries.find(OLLAMA) : undefined;
    const bare = ollama ?? this.registries.find(this.#context.config.bare);
    const local = { name, remote: name };
    if (naming.writes || !bare || this.#isPrivate(name)) return local;
    if (rest.length > 0 && first!.includes('.')) return local;
    if (await this.#context.catalog.get(repoKey(name))) return local;
    return this.#at(bare, name);
  }

  /** Where a bare name is looked for as long as it is not ours; undefined for one that is asked nowhere. */
  elsewhere(name: string): Repository | undefined {
    const bare = this.registries.find(this.#context.config.bare);
    return bare && !this.#isPrivate(name) ? this.#at(bare, name) : undefined;
  }

  #known(host: string): Registry {
    const registry = this.registries.find(host);
    if (registry) return registry;
    throw new OciError(
      'not-found',
      'repository',
      `"${host.slice(0, 200)}" is not among the registries that are mirrored here (${this.registries.names()}); the setting oci.registries names them`,
      { code: 'NAME_UNKNOWN' },
    );
  }

  /** @param given the host that stands beside the name: it may stand in front of the name once more */
  #at(registry: Registry, name: string, given?: string): Repository {
    const [first, ...rest] = name.split('/');
    const stripped = given !== undefined && rest.length > 0 && this.registries.find(first!) === registry;
    const asked = checkRepositoryName(stripped ? rest.join('/') : name);
    const remote = registry.name === SHORT && !asked.includes('/') ? `library/${asked}` : asked;
    return { name: `${registry.name}/${remote}`, registry, remote };
  }

  #isPrivate(name: string): boolean {
    return this.#private.some((one) => one.test(name));
  }
}

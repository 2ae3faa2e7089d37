import type { OciConfig, RegistryConfig } from './config.ts';

/** A registry that is mirrored, with every question about it answered. */
export interface Registry {
  /** `docker.io`: the first component of its repositories' names in the store. */
  name: string;
  /** Where it is asked; no trailing slash. */
  url: string;
  aliases: readonly string[];
  fileHosts: readonly string[];
  authHosts: readonly string[];
  config: RegistryConfig;
}

interface Known {
  url?: string;
  aliases?: string[];
  fileHosts?: string[];
  authHosts?: string[];
}

/** Where cloud stores of several registries keep their blobs. */
const AMAZON = ['*.s3.amazonaws.com', 's3.*.amazonaws.com', '*.s3.*.amazonaws.com', '*.cloudfront.net'];
const GOOGLE = ['*.pkg.dev', 'storage.googleapis.com', '*.storage.googleapis.com', '*.gcr.io'];

/** What is known of registries that everybody uses (reference oci.md §2.2). */
const KNOWN: Record<string, Known> = {
  'docker.io': {
    url: 'https://registry-1.docker.io',
    aliases: ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'],
    fileHosts: ['*.docker.io', '*.docker.com', '*.r2.cloudflarestorage.com', ...AMAZON],
    authHosts: ['auth.docker.io'],
  },
  'nvcr.io': {
    fileHosts: ['*.nvcr.io', '*.nvidia.com', '*.ngc.nvidia.com', ...AMAZON],
    authHosts: ['authn.nvidia.com'],
  },
  'quay.io': { fileHosts: ['*.quay.io', ...AMAZON] },
  'gcr.io': { aliases: ['us.gcr.io', 'eu.gcr.io', 'asia.gcr.io'], fileHosts: GOOGLE },
  'ghcr.io': { fileHosts: ['*.githubusercontent.com', '*.blob.core.windows.net'] },
  'registry.k8s.io': { aliases: ['k8s.gcr.io'], fileHosts: [...GOOGLE, ...AMAZON] },
  'registry.ollama.ai': { aliases: ['registry.ollama.com'], fileHosts: ['*.ollama.ai', '*.r2.cloudflarestorage.com'] },
  'mcr.microsoft.com': { fileHosts: ['*.mcr.microsoft.com', '*.azureedge.net', '*.blob.core.windows.net'] },
  'registry.istio.io': { fileHosts: [...GOOGLE, '*.docker.io', '*.docker.com', ...AMAZON] },
  'public.ecr.aws': { fileHosts: AMAZON },
};

/** The closed list of registries: a host that is not here is never dialled, whoever names it. */
export class Registries {
  readonly list: readonly Registry[];
  readonly #byHost = new Map<string, Registry>();

  constructor(config: OciConfig) {
    this.list = config.registries.map(registryOf);
    for (const registry of this.list)
      for (const host of [...registry.aliases, registry.name]) this.#byHost.set(host, registry);
  }

  /** By one of its names, a port in either spelling; undefined for one that is not mirrored. */
  find(host: string): Registry | undefined {
    const name = host.toLowerCase();
    return this.#byHost.get(name) ?? this.#byHost.get(name.replace(/:(\d+)$/, '_$1_'));
  }

  /** For messages. */
  names(): string {
    return this.list.map(({ name }) => name).join(', ') || 'none';
  }
}

function registryOf(config: RegistryConfig): Registry {
  const { name } = config;
  const known = KNOWN[name] ?? {};
  const url = config.url ?? known.url ?? `https://${name.replace(/_(\d+)_$/, ':$1')}`;
  return {
    name,
    url: url.replace(/\/+$/, ''),
    aliases: [...(known.aliases ?? []), ...(config.aliases ?? [])].map((alias) => alias.toLowerCase()),
    fileHosts: config.fileHosts ?? known.fileHosts ?? [],
    authHosts: config.authHosts ?? known.authHosts ?? [],
    config,
  };
}

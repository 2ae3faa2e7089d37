import type { Freshness } from '../../shared/model/freshness.ts';
import type { Ref, WantedItem } from '../../shared/model/ref.ts';
import type { OciConfig } from './config.ts';
import { promisedBy } from './digests.ts';
import { blobKey, layerKey, linkKey, manifestKey, referrersKey, tagKey } from './keys.ts';
import { ACCEPT, MEDIA } from './manifest.ts';
import type { Repository } from './repositories.ts';
import { patternOf } from './repository-name.ts';

const BYTES = 'application/octet-stream';

/** Turns what clients ask for into names, and into the addresses where origins have it. */
export class Refs {
  readonly #config: OciConfig;
  readonly #tags: { pattern: RegExp; fresh: number }[];

  constructor(config: OciConfig) {
    this.#config = config;
    this.#tags = config.tags.map(({ match, freshSeconds }) => ({ pattern: patternOf(match), fresh: freshSeconds }));
  }

  /** What a tag means. Whoever has it has the manifest by its digest as well. */
  tag(repository: Repository, tag: string): Ref {
    const label = `${repository.name}:${tag}`;
    return {
      key: tagKey(repository.name, tag),
      subject: 'manifest',
      label,
      ...this.#at(repository, `manifests/${tag}`),
      accept: ACCEPT,
      freshness: this.#freshnessOf(tag),
      aliases: (entry) => [this.manifest(repository, entry.digest), this.#link(repository, entry.digest)],
      want: wantOf(repository, label),
    };
  }

  manifest(repository: Repository, digest: string): Ref {
    const label = `${repository.name}@${digest}`;
    return {
      key: repository.registry ? manifestKey(digest) : linkKey(repository.name, digest),
      subject: 'manifest',
      label,
      ...this.#at(repository, `manifests/${digest}`),
      accept: ACCEPT,
      freshness: 'immutable',
      promised: promisedBy(digest),
      aliases: () => (repository.registry ? [this.#link(repository, digest)] : []),
      want: wantOf(repository, label),
    };
  }

  blob(repository: Repository, digest: string): Ref {
    return {
      key: repository.registry ? blobKey(digest) : layerKey(repository.name, digest),
      subject: 'blob',
      label: `${repository.name}@${digest}`,
      ...this.#at(repository, `blobs/${digest}`),
      freshness: 'immutable',
      promised: promisedBy(digest),
      ifHeld: repository.registry ? { mediaType: BYTES, etag: `"${digest}"`, headers: {} } : undefined,
    };
  }

  /** What an origin knows to refer to a manifest; a page of it. */
  referrers(repository: Repository, digest: string, query = ''): Ref {
    return {
      key: `${referrersKey(repository.name, digest)}${query}`,
      subject: 'referrers',
      label: `referrers of ${repository.name}@${digest}`,
      ...this.#at(repository, `referrers/${digest}${query}`),
      accept: MEDIA.index,
      freshness: { fresh: this.#config.freshSeconds, stale: this.#config.staleSeconds },
    };
  }

  /** A page of an origin's tags. */
  tags(repository: Repository, query: string): Ref {
    return {
      key: `tags/${repository.name}${query}`,
      subject: 'tags',
      label: `tags of ${repository.name}`,
      ...this.#at(repository, `tags/list${query}`),
      accept: 'application/json',
      freshness: { fresh: 0, stale: 0 },
    };
  }

  /** "This manifest belongs to that repository", beside the manifest itself. */
  #link(repository: Repository, digest: string): Ref {
    const key = linkKey(repository.name, digest);
    return { key, subject: 'manifest', label: key, source: '', origin: '', freshness: 'immutable' };
  }

  #at({ registry, remote }: Repository, what: string): { source: string; origin: string } {
    if (!registry) return { source: '', origin: '' };
    return { source: `${registry.url}/v2/${remote}/${what}`, origin: registry.name };
  }

  #freshnessOf(tag: string): Freshness {
    const fresh = this.#tags.find(({ pattern }) => pattern.test(tag))?.fresh ?? this.#config.freshSeconds;
    return { fresh, stale: this.#config.staleSeconds };
  }
}

/** What brings it across the gap; what was made here comes from nowhere. */
function wantOf({ registry }: Repository, label: string): WantedItem | undefined {
  return registry ? { oci: label } : undefined;
}

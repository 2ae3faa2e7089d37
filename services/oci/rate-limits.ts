/** What a registry said last of how much it will still give (Docker Hub's `ratelimit-*` fields). */
export interface RateLimit {
  limit?: number;
  remaining?: number;
}

/** Told by what asks origins, heard by the gauges. */
export class RateLimits {
  changed: ((registry: string, limit: RateLimit) => void) | undefined;

  read(registry: string, headers: Record<string, string>): void {
    const limit = numberIn(headers['ratelimit-limit']);
    const remaining = numberIn(headers['ratelimit-remaining']);
    if (limit !== undefined || remaining !== undefined) this.changed?.(registry, { limit, remaining });
  }
}

/** `100;w=21600`: so many in so many seconds. */
function numberIn(field: string | undefined): number | undefined {
  const found = /^\s*(\d+)/.exec(field ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

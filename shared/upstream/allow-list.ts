import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { Upstream } from './upstream.ts';

/**
 * Lets only some names go upstream: private names and names that the site does not want never leave it.
 * @param refusal says why not, or undefined for a name that may
 */
export function withAllowList(upstream: Upstream, refusal: (ref: Ref) => string | undefined): Upstream {
  const check = (ref: Ref) => {
    const why = refusal(ref);
    if (why !== undefined) throw new MirrorError('forbidden', ref.subject, `${ref.label}: ${why}`);
  };
  return {
    async describe(ref, options) {
      check(ref);
      return upstream.describe(ref, options);
    },
    async fetch(ref, options) {
      check(ref);
      return upstream.fetch(ref, options);
    },
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { Upstream } from '../../shared/upstream/upstream.ts';

/**
 * A tag that is held is looked at with HEAD before it is fetched: registries count GETs of manifests as pulls and HEADs
 * not (reference oci.md §4.4), and only Docker's own understand `If-None-Match`.
 */
export function withHeads(upstream: Upstream): Upstream {
  return {
    describe: (ref, options) => upstream.describe(ref, options),
    async fetch(ref, options = {}) {
      const { validators, range, signal } = options;
      if (!isTag(ref) || range) return upstream.fetch(ref, options);
      if (!isDigestTag(validators?.etag)) return upstream.fetch(ref, options).catch(soften);
      const facts = await upstream.describe(ref, { signal }).catch(soften);
      if (!facts) return { outcome: 'absent' };
      if (facts.etag === validators!.etag) return { outcome: 'unchanged', facts };
      return upstream.fetch(ref, { signal }).catch(soften);
    },
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

const isTag = ({ key }: Ref) => key.startsWith('tag/');
const isDigestTag = (etag: string | undefined) => /^"sha(256|512):/.test(etag ?? '');

/**
 * A registry that takes our credentials no longer must not end what is held: it counts as one that cannot be asked, and
 * its status is kept for those who hold nothing.
 */
function soften(error: unknown): never {
  if (!isKind(error, 'upstream-denied') || ![401, 403].includes(error.originStatus ?? 0)) throw error;
  throw new MirrorError('upstream-failed', error.subject, error.message, {
    cause: error,
    originStatus: error.originStatus,
  });
}

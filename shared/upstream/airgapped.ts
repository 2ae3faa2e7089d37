import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { Upstream } from './upstream.ts';

/** The upstream of a site without a network: it knows of nothing, and dials nothing. */
export function airgapped(): Upstream {
  const refuse = async (ref: Ref): Promise<never> => {
    throw new MirrorError('not-held', ref.subject, `${ref.label} is not held here, and this site has no network`);
  };
  return { describe: refuse, fetch: refuse };
}

import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { Passthrough } from './passthrough.ts';
import type { Upstream } from './upstream.ts';

/** The upstream of a site without a network: it knows of nothing, and dials nothing. */
export function airgapped(): Upstream {
  const refuse = async (ref: Ref): Promise<never> => {
    throw new MirrorError('not-held', ref.subject, `${ref.label} is not held here, and this site has no network`);
  };
  return { describe: refuse, fetch: refuse };
}

/** What is not mirrored is not to be had there at all. */
export const airgappedPassthrough: Passthrough =
  ({ subject }) =>
  (_req, _res, next) =>
    next(new MirrorError('not-held', subject, 'only the origin could answer this, and this site has no network'));

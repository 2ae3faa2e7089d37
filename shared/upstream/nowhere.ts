import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { Upstream } from './upstream.ts';

/** The upstream of a service that mirrors nothing. */
export function nowhere(): Upstream {
  const refuse = async (ref: Ref): Promise<never> => {
    throw new MirrorError('not-found', ref.subject, `there is no ${ref.label}`);
  };
  return { describe: refuse, fetch: refuse };
}

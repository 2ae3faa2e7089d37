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

/**
 * Says why a name may not go upstream by the three lists of a service's settings; undefined for a name that may.
 * @param matches how the service reads its patterns
 */
export function refusalBy(
  service: string,
  lists: Record<'private' | 'allow' | 'deny', readonly string[]>,
  matches: (name: string, patterns: readonly string[]) => boolean,
): (name: string) => string | undefined {
  return (name) => {
    if (matches(name, lists.private))
      return `"${name}" is private here and is never asked for upstream (${service}.private)`;
    if (matches(name, lists.deny)) return `"${name}" is not allowed here (${service}.deny)`;
    const may = lists.allow.length === 0 || matches(name, lists.allow);
    return may ? undefined : `"${name}" is not among what is allowed here (${service}.allow)`;
  };
}

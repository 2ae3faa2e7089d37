import { MirrorError } from '../model/errors.ts';
import { shownUrl } from './credentials.ts';

/** Hops that an honest origin needs: its own host, a file host, a signed store. */
export const MOST_HOPS = 5;

/** True for statuses that send on (RFC 9110 §15.4), 300 and 304 excepted. */
export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/**
 * Where a redirect leads, if we follow it. Throws `upstream-failed` for loops, for a way from https to http, and for
 * hosts that are not the origin's.
 */
export function nextHop(
  from: string,
  location: string | undefined,
  seen: readonly string[],
  allowed: (next: URL) => boolean,
): string {
  if (!location) throw refused(from, 'it redirects without saying where to');
  let next: URL;
  try {
    next = new URL(location, from);
  } catch {
    throw refused(from, 'it redirects to something that is no URL');
  }
  if (next.protocol !== 'http:' && next.protocol !== 'https:') throw refused(from, `it redirects to ${next.protocol}`);
  if (next.protocol === 'http:' && from.startsWith('https:'))
    throw refused(from, 'it redirects from https to http', true);
  next.username = '';
  next.password = '';
  next.hash = '';
  if (seen.includes(next.href)) throw refused(from, 'it redirects in a loop');
  if (seen.length > MOST_HOPS) throw refused(from, `it redirects more than ${MOST_HOPS} times`);
  if (!allowed(next)) {
    const why = `it redirects to ${next.host}, which is not among the hosts that this origin may use`;
    throw refused(from, why, true);
  }
  return next.href;
}

/** @param ours the rule is one of ours */
function refused(from: string, why: string, ours = false): MirrorError {
  return new MirrorError('upstream-failed', 'origin', `${shownUrl(from)}: ${why}`, { ours });
}

/**
 * How long a held name may be trusted without asking its origin again. `immutable` for names that say their bytes
 * (a digest, a wheel, a commit); else seconds: `fresh` in which nobody is asked, then `stale` in which the held answer
 * goes out at once and the origin is asked behind it. After both, the origin is asked first.
 */
export type Freshness = 'immutable' | { fresh: number; stale: number };

export type Age = 'fresh' | 'stale' | 'expired';

/**
 * @param checkedAt when the origin last confirmed the name, ISO 8601
 * @param now milliseconds since the epoch
 */
export function ageOf(freshness: Freshness, checkedAt: string, now: number): Age {
  if (freshness === 'immutable') return 'fresh';
  const seconds = (now - Date.parse(checkedAt)) / 1000;
  // A clock that was set back makes a name look checked in the future: that is not a reason to trust it for ever.
  if (seconds < -60) return 'expired';
  if (seconds < freshness.fresh) return 'fresh';
  return seconds < freshness.fresh + freshness.stale ? 'stale' : 'expired';
}

/**
 * True when `text` has the shape of `pattern`: `*` stands for any characters (slashes too), `?` for one. No regular
 * expression: patterns come from clients, and many stars in one would take for ever.
 */
export function matchesGlob(text: string, pattern: string): boolean {
  let at = 0;
  let inPattern = 0;
  /** Where the last star stands, and up to where it was taken to reach. */
  let star = -1;
  let reached = 0;
  while (at < text.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern;
      reached = at;
      inPattern += 1;
    } else if (pattern[inPattern] === '?' || pattern[inPattern] === text[at]) {
      inPattern += 1;
      at += 1;
    } else if (star >= 0) {
      reached += 1;
      at = reached;
      inPattern = star + 1;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern += 1;
  return inPattern === pattern.length;
}

/** True when one of the patterns fits, in whatever case letters are. */
export function matchesAny(text: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesGlob(text.toLowerCase(), pattern.toLowerCase()));
}

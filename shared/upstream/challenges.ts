/** One way in that a server names in `WWW-Authenticate`. */
export interface Challenge {
  /** Lower case: `bearer`. */
  scheme: string;
  /** By lower-case name; quotes and escapes undone. */
  parameters: Record<string, string>;
}

/**
 * Reads `WWW-Authenticate` (RFC 9110 §11.6.1): several challenges may stand in one field, and commas separate both
 * them and their parameters. Values in quotes hold anything, `=` and commas included (nvcr.io puts a whole query
 * there). What cannot be read is left out.
 */
export function parseChallenges(field: string): Challenge[] {
  const challenges: Challenge[] = [];
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
  const part = new RegExp(
    `\\s*(?:,\\s*)*(?:(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))|(${token}))`,
    'y',
  );
  for (let match = part.exec(field); match; match = part.exec(field)) {
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: {} });
    else if (name !== undefined) {
      const value = quoted === undefined ? plain! : quoted.replace(/\\(.)/g, '$1');
      const current = challenges.at(-1);
      if (current) current.parameters[name.toLowerCase()] ??= value;
    }
  }
  return challenges;
}

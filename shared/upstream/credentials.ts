/** What the mirror itself says to an origin. A client's own token never goes upstream. */
export type Credentials = { username: string; password: string } | { token: string };

/** The `Authorization` field for them (RFC 7617, RFC 6750). */
export function authorizationOf(credentials: Credentials): string {
  if ('token' in credentials) return `Bearer ${credentials.token}`;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/** Splits `https://user:password@host/…` into the address and its credentials. Throws on what is no URL. */
export function splitCredentials(text: string): { url: string; credentials: Credentials | undefined } {
  const url = new URL(text);
  if (url.username === '') return { url: url.href, credentials: undefined };
  const credentials = { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  url.username = '';
  url.password = '';
  return { url: url.href, credentials };
}

/** A URL as it may stand in a log or a message: no user, no password, no query (signed URLs carry secrets there). */
export function shownUrl(text: string): string {
  try {
    const { protocol, host, pathname } = new URL(text);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return '(no URL)';
  }
}

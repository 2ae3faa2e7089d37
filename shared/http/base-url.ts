import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { MirrorError } from '../model/errors.ts';

/** A host as a client may send it: a name or an address with an optional port, nothing that could break out of a URL. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?)(:\d{1,5})?$/i;

/**
 * Where the client reached us: scheme, host and prefix without a trailing slash. What the operator set as `publicUrl`
 * goes before what the request says.
 * Throws `bad-request` for a Host that is none.
 */
export function baseUrl(req: IncomingMessage & { baseUrl?: string }, publicUrl?: string): string {
  if (publicUrl) return publicUrl.replace(/\/+$/, '');
  const host = req.headers.host ?? '';
  if (!HOST.test(host)) throw new MirrorError('bad-request', 'request', 'the Host field is no host name');
  const scheme = (req.socket as TLSSocket).encrypted ? 'https' : 'http';
  return `${scheme}://${host.toLowerCase()}${req.baseUrl ?? ''}`;
}

import type { S3Options } from './s3-options.ts';
import { presignUrl } from './sigv4.ts';

/** Seconds for which a read of our own is good; it is used at once. */
const OURS = 300;
/** Seconds for a client: who is slow to begin, or asks for one part after the other, must not find it over. */
const LENT = 3600;

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** An address at which we read an object. */
export function presignOwn(options: S3Options, credentials: Credentials, key: string): string {
  return presign(options, credentials, { key, endpoint: options.endpoint, expires: OURS, query: [] });
}

/** An address at which a client reads it, under the engine's name for clients. Of no use for a HEAD. */
export function presignForClient(
  options: S3Options,
  credentials: Credentials,
  key: string,
  as: { mediaType: string; disposition?: string },
): string {
  const query: [string, string][] = [];
  // what we put has no type of its own
  if (as.mediaType !== 'application/octet-stream') query.push(['response-content-type', as.mediaType]);
  if (as.disposition) query.push(['response-content-disposition', as.disposition]);
  const endpoint = options.publicEndpoint ?? options.endpoint;
  return presign(options, credentials, { key, endpoint, expires: LENT, query });
}

/** Milliseconds for which an address is given out again: signing one is the dearest part of a redirect. */
const AGAIN = 60_000;
const MOST_AGAIN = 10_000;

/** Addresses for clients, signed once a minute for each object and what it is given as. */
export class ClientAddresses {
  readonly #signed = new Map<string, { url: string; at: number }>();

  /** @param sign called when there is none, or none that is young enough */
  async of(key: string, as: { mediaType: string; disposition?: string }, sign: () => Promise<string>): Promise<string> {
    const id = `${key}\n${as.mediaType}\n${as.disposition ?? ''}`;
    const known = this.#signed.get(id);
    if (known && performance.now() - known.at < AGAIN) return known.url;
    const made = { url: await sign(), at: performance.now() };
    if (this.#signed.size >= MOST_AGAIN) this.#signed.clear();
    this.#signed.set(id, made);
    return made.url;
  }
}

interface Signed {
  key: string;
  endpoint: string | undefined;
  expires: number;
  query: [string, string][];
}

function presign({ bucket, prefix, region }: S3Options, credentials: Credentials, signed: Signed): string {
  const { key, expires, query } = signed;
  const endpoint = signed.endpoint ?? `https://${bucket}.s3.${region}.amazonaws.com`;
  const path = signed.endpoint ? `/${bucket}/${prefix}${key}` : `/${prefix}${key}`;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return presignUrl(
    { method: 'GET', endpoint, path, query, expires, now: Date.now(), sessionToken },
    { accessKeyId, secretAccessKey, region, service: 's3' },
  );
}

import { MirrorError } from '../model/errors.ts';

export interface S3Options {
  bucket: string;
  /** Before every key; empty or with a slash at its end. */
  prefix: string;
  /** `http://host:port`; AWS's own when unset. */
  endpoint?: string;
  /** The same engine as clients reach it; they may be sent there. */
  publicEndpoint?: string;
  region: string;
  accessKeyId?: string;
  secretAccessKey?: string;
}

/**
 * Reads `s3://bucket/prefix?endpoint=http://host:port&region=…`. Keys come from the settings, not from here.
 * Throws `bad-request`.
 */
export function parseS3Url(location: string): S3Options {
  let url: URL;
  try {
    url = new URL(location);
  } catch {
    throw wrong('it is no address');
  }
  const bucket = url.hostname;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) throw wrong(`"${bucket}" is no name of a bucket`);
  for (const name of url.searchParams.keys()) {
    if (name !== 'endpoint' && name !== 'region') throw wrong(`"${name}" is not known; there is endpoint and region`);
  }
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  if (endpoint !== undefined && !/^https?:\/\/[^/?#]+\/?$/.test(endpoint))
    throw wrong('endpoint is an address like http://s3.site:8333');
  const path = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '');
  return {
    bucket,
    prefix: path === '' ? '' : `${path}/`,
    endpoint: endpoint?.replace(/\/$/, ''),
    region: url.searchParams.get('region') ?? 'us-east-1',
  };
}

function wrong(why: string): MirrorError {
  return new MirrorError(
    'bad-request',
    'settings',
    `store: ${why}; it is a directory, or s3://bucket/prefix?endpoint=http://host:port`,
  );
}

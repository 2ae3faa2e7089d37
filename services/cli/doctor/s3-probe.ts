import { type Dispatcher, fetch, type Response } from 'undici';
import { presignUrl } from '../../../shared/storage/sigv4.ts';

/** Milliseconds for an answer. */
const PATIENCE = 20_000;

export interface S3Keys {
  accessKeyId: string;
  secretAccessKey: string;
}

/** An endpoint of S3, asked as TAO asks it: by path, with its keys. */
export class S3Probe {
  readonly endpoint: string;
  readonly bucket: string;
  readonly #keys: S3Keys;
  readonly #dispatcher: Dispatcher;

  constructor(options: { endpoint: string; bucket: string; keys: S3Keys; dispatcher: Dispatcher }) {
    this.endpoint = options.endpoint.replace(/\/+$/, '');
    this.bucket = options.bucket;
    this.#keys = options.keys;
    this.#dispatcher = options.dispatcher;
  }

  /** @param path below the bucket, with its first slash */
  async ask(
    method: 'GET' | 'HEAD' | 'PUT',
    path = '',
    query: [string, string][] = [],
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const url = presignUrl(
      { method, endpoint: this.endpoint, path: `/${this.bucket}${path}`, query, expires: 60, now: Date.now() },
      { ...this.#keys, region: 'us-east-1', service: 's3' },
    );
    const signal = AbortSignal.timeout(PATIENCE);
    return fetch(url, { method, headers, signal, dispatcher: this.#dispatcher, redirect: 'manual' });
  }

  /** An object's bytes, up to a limit; undefined when there is none. */
  async read(key: string, most: number): Promise<Buffer | undefined> {
    const answer = await this.ask('GET', `/${key}`);
    if (answer.status === 404) return void (await answer.body?.cancel());
    if (answer.status !== 200) throw new Error(`GET of ${key} was answered with ${answer.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of answer.body!) {
      size += chunk.length;
      if (size > most) throw new Error(`${key} is larger than ${most} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** Keys that begin with a prefix, as they are listed (API_ListObjectsV2.html); `most` of them at most. */
  async *keys(prefix: string, most = 100_000): AsyncGenerator<string> {
    let token: string | undefined;
    for (let given = 0; ; ) {
      const query: [string, string][] = [
        ['list-type', '2'],
        ['encoding-type', 'url'],
        ['prefix', prefix],
        ...(token === undefined ? [] : [['continuation-token', token] as [string, string]]),
      ];
      const answer = await this.ask('GET', '', query);
      if (answer.status !== 200)
        throw new Error(`the list of ${prefix || 'the bucket'} was answered with ${answer.status}`);
      const text = await answer.text();
      for (const [, key] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) {
        yield decodeURIComponent(key!);
        given += 1;
        if (given >= most) return;
      }
      token = /<NextContinuationToken>([^<]*)</.exec(text)?.[1];
      if (token === undefined) return;
    }
  }
}

/** What S3 calls an error; undefined where it says nothing. */
export async function codeOf(answer: Response): Promise<string | undefined> {
  return /<Code>([^<]*)</.exec(await answer.text().catch(() => ''))?.[1];
}

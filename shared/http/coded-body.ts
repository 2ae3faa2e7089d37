import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';
import { negotiateEncoding } from './accept.ts';
import { type SendOptions, sendBytes } from './send.ts';

/** Codings of pages and documents, the one that is best for its cost first. */
export const CODINGS = ['zstd', 'br', 'gzip'] as const;
export type Coding = (typeof CODINGS)[number] | 'identity';

/** Off the event loop, each of them. */
const compress = {
  gzip: promisify(gzip),
  br: (bytes: Buffer) =>
    promisify(brotliCompress)(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }),
  zstd: promisify(zstdCompress),
};

/** A document that was rendered: compressed once per coding, when it is first asked for in it. */
export class CodedBody {
  readonly #identity: Buffer;
  readonly #hash: string;
  readonly #codings = new Map<Coding, Promise<Buffer>>();

  /**
   * @param text not to be changed any more
   * @param sha256 hex, where it is known: of tens of megabytes it is better made in turns
   */
  constructor(text: string | Buffer, sha256?: string) {
    this.#identity = typeof text === 'string' ? Buffer.from(text) : text;
    this.#hash = (sha256 ?? createHash('sha256').update(this.#identity).digest('hex')).slice(0, 32);
  }

  /** About what it takes in memory: pages compress to less than a fifth. */
  get weight(): number {
    return this.#identity.length * 1.5 + 1000;
  }

  /** Strong, and another one for each coding: they are other bytes (RFC 9110 §8.8.3.3). */
  etag(coding: Coding): string {
    return coding === 'identity' ? `"${this.#hash}"` : `"${this.#hash}-${coding}"`;
  }

  async bytes(coding: Coding): Promise<Buffer> {
    if (coding === 'identity') return this.#identity;
    const known = this.#codings.get(coding) ?? compress[coding](this.#identity);
    this.#codings.set(coding, known);
    return known;
  }
}

/** Sends it in the coding that the client likes. */
export async function sendCoded(
  req: IncomingMessage,
  res: ServerResponse,
  body: CodedBody,
  mediaType: string,
  options: SendOptions = {},
): Promise<void> {
  const coding = negotiateEncoding(req.headers['accept-encoding'] as string | undefined, CODINGS) as Coding;
  const facts = { mediaType, etag: body.etag(coding), headers: {} };
  const encoding = coding === 'identity' ? undefined : coding;
  const vary = options.vary ?? 'Accept-Encoding';
  await sendBytes(req, res, await body.bytes(coding), facts, { ...options, vary, encoding });
}

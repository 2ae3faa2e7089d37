import { createHash } from 'node:crypto';
import { type SigningKey, sign } from '../../../shared/storage/sigv4.ts';

const EMPTY = createHash('sha256').digest('hex');

/** What the first chunk's signature follows: the request's own. */
export interface ChunkSeed {
  /** `20261124T120000Z` */
  timestamp: string;
  /** `20261124/us-east-1/s3/aws4_request` */
  scope: string;
  signature: string;
  key: SigningKey;
}

/**
 * Each chunk's signature covers the one before it
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html), so chunks can be neither left out nor moved.
 */
export class ChunkSignatures {
  readonly #seed: ChunkSeed;
  #previous: string;

  constructor(seed: ChunkSeed) {
    this.#seed = seed;
    this.#previous = seed.signature;
  }

  /** @param sha256 of the chunk's bytes, hex. @returns what its signature has to be */
  next(sha256: string): string {
    return this.#sign('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY}\n${sha256}`);
  }

  /** @param lines `name:value\n` of the trailer, each */
  trailer(lines: string): string {
    return this.#sign('AWS4-HMAC-SHA256-TRAILER', createHash('sha256').update(lines).digest('hex'));
  }

  #sign(kind: string, rest: string): string {
    const { timestamp, scope, key } = this.#seed;
    const text = [kind, timestamp, scope, this.#previous, rest].join('\n');
    this.#previous = sign(text, key, scope.slice(0, 8));
    return this.#previous;
  }
}

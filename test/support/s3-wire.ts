import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { type ChunkSeed, ChunkSignatures } from '../../services/s3/body/chunk-signatures.ts';
import { sign, stringToSign } from '../../shared/storage/sigv4.ts';

export const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

/** A request as it goes over the wire: clients of libraries would put right what is wrong in it. */
export interface Wish {
  method?: string;
  /** Encoded. */
  path: string;
  query?: [string, string][];
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** What `x-amz-content-sha256` says; the hash of the body when unset. */
  payload?: string;
  key?: { accessKeyId: string; secretAccessKey: string };
  /** When it was signed, milliseconds. */
  at?: number;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
  /** What an error of S3's is called. */
  code: string | undefined;
}

/** Speaks with an S3 server, byte by byte. */
export class Wire {
  readonly #port: number;
  readonly #host: string;
  readonly #key: { accessKeyId: string; secretAccessKey: string };

  constructor(url: string, key: { accessKeyId: string; secretAccessKey: string }) {
    const { port, host } = new URL(url);
    [this.#port, this.#host, this.#key] = [Number(port), host, key];
  }

  /** The head of a request that is signed, with its blank line; and what its chunks' signatures follow. */
  signed(wish: Wish): { head: string; seed: ChunkSeed } {
    const { method = 'PUT', path, query = [], body = '', at = Date.now(), key = this.#key } = wish;
    const timestamp = new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '');
    const scope = `${timestamp.slice(0, 8)}/us-east-1/s3/aws4_request`;
    const payloadHash = wish.payload ?? sha256(body);
    const own = { host: this.#host, 'x-amz-date': timestamp, 'x-amz-content-sha256': payloadHash };
    const headers: Record<string, string> = { ...own, ...wish.headers };
    const signingKey = { ...key, region: 'us-east-1', service: 's3' };
    const text = stringToSign({ method, path, query, headers, payloadHash }, scope, timestamp);
    const signature = sign(text, signingKey, timestamp.slice(0, 8));
    const names = Object.keys(headers).sort().join(';');
    const authorization = `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
    const sent: Record<string, string> = { ...headers, authorization };
    // unsigned, so that a test can say another length than what it sends
    if (!('content-length' in sent) && method !== 'GET' && method !== 'HEAD')
      sent['content-length'] = String(Buffer.byteLength(body));
    const target = query.length === 0 ? path : `${path}?${query.map(pairOf).join('&')}`;
    const lines = Object.entries(sent).map(([name, value]) => `${name}: ${value}\r\n`);
    return {
      head: `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`,
      seed: { timestamp, scope, signature, key: signingKey },
    };
  }

  /** Sends a signed request and its body. @returns the last answer: an interim one may stand before it */
  async ask(wish: Wish): Promise<Answer> {
    const head = this.signed(wish).head.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n');
    return (await this.exchange([head, wish.body ?? ''], { bodiless: wish.method === 'HEAD' })).at(-1)!;
  }

  /** Sends all there is to send before it reads a byte, as simple clients do. Throws when it cannot send it. */
  afterwards(pieces: readonly (string | Buffer)[]): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#port, '127.0.0.1').pause();
      let received = '';
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
      });
      socket.on('close', () => resolve(answersIn(received, false)[0]));
      socket.pause();
      socket.write(Buffer.concat(pieces.map((piece) => Buffer.from(piece))), () => socket.resume());
    });
  }

  /**
   * Sends pieces on one connection and reads answers until it is closed, or there are so many.
   * @param options.bodiless answers to HEAD; @param options.cut closes the connection after sending
   */
  exchange(
    pieces: readonly (string | Buffer)[],
    options: { count?: number; bodiless?: boolean; cut?: boolean } = {},
  ): Promise<Answer[]> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#port, '127.0.0.1');
      let received = '';
      const done = () => {
        const answers = answersIn(received, options.bodiless ?? false);
        socket.destroy();
        resolve(answers);
      };
      socket.setTimeout(30_000, () => {
        socket.destroy();
        reject(new Error(`no answer after half a minute, only: ${received.slice(0, 500)}`));
      });
      // whoever is refused early may find the connection closed while still sending
      socket.on('error', () => undefined);
      socket.on('close', done);
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
        if (answersIn(received, options.bodiless ?? false).length >= (options.count ?? Infinity)) done();
      });
      for (const piece of pieces) socket.write(piece);
      if (options.cut) socket.end(() => setImmediate(() => socket.destroy()));
    });
  }
}

const pairOf = ([name, value]: [string, string]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;

function answersIn(text: string, bodiless: boolean): Answer[] {
  const found: Answer[] = [];
  for (let rest = text; rest !== ''; ) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) break;
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => line.toLowerCase().split(/:\s*/, 2)));
    const length = bodiless ? 0 : Number(headers['content-length'] ?? 0);
    const body = rest.slice(end + 4, end + 4 + length);
    if (body.length < length) break;
    const code = /<Code>(\w+)<\/Code>/.exec(body)?.[1];
    found.push({ status: Number(first.split(' ')[1]), headers, text: body, code });
    rest = rest.slice(end + 4 + length);
  }
  return found;
}

/** Chunks as they are framed, each with its signature where there is something to follow. */
export function frames(
  chunks: readonly (string | Buffer)[],
  seed?: ChunkSeed,
): { frames: Buffer[]; trailer(lines: string): string } {
  const signatures = seed && new ChunkSignatures(seed);
  const framed = chunks.map((chunk) => {
    const signature = signatures ? `;chunk-signature=${signatures.next(sha256(chunk))}` : '';
    return Buffer.concat([
      Buffer.from(`${Buffer.byteLength(chunk).toString(16)}${signature}\r\n`),
      Buffer.from(chunk),
      Buffer.from(chunk.length > 0 ? '\r\n' : ''),
    ]);
  });
  return { frames: framed, trailer: (lines) => signatures?.trailer(lines) ?? '' };
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Served } from '../mirror/resource.ts';
import { type ByteRange, lengthOf, parseRange } from '../model/byte-range.ts';
import type { Facts } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import type { Elsewhere, Wanted } from '../storage/delivery.ts';
import { writesItself } from '../storage/self-writing.ts';
import { judgeConditions, rangeApplies } from './conditional.ts';
import { sendElsewhere } from './elsewhere.ts';
import { type MultipartRanges, multipartRanges } from './multipart-ranges.ts';

export interface SendOptions {
  cacheControl?: string;
  vary?: string;
  /** `Content-Encoding` of bytes that were compressed beforehand; only for pages, never for blobs. */
  encoding?: string;
  headers?: Record<string, string>;
}

/** Chunks are as large as the store gives them; a body in memory goes out in one piece. */
type Body = Readable | Buffer;

/** A thing with its facts, from which any part can be had: a resource of the mirror is one. */
export interface Sendable {
  facts: Facts;
  served?: Served;
  open(range?: ByteRange): Promise<Body>;
  /** Where clients get it without us, if the settings and the store have such a place. */
  elsewhere?(wanted: Wanted): Promise<Elsewhere | undefined>;
}

/**
 * Answers GET and HEAD for a resource, held or still arriving: conditions, one range or several, lengths, validators.
 * The only writer of bodies. An error in the middle of a body destroys the socket: a client may see a short body, never
 * a complete wrong one.
 */
export function send(
  req: IncomingMessage,
  res: ServerResponse,
  resource: Sendable,
  options: SendOptions = {},
): Promise<void> {
  return write(req, res, resource, options);
}

/** The same for bytes that are in memory: project pages, documents. */
export function sendBytes(
  req: IncomingMessage,
  res: ServerResponse,
  bytes: Buffer,
  facts: Facts,
  options: SendOptions & { served?: Served } = {},
): Promise<void> {
  const open = async (range?: ByteRange) => (range ? bytes.subarray(range.start, range.end + 1) : bytes);
  return write(req, res, { facts: { ...facts, size: bytes.length }, served: options.served, open }, options);
}

/** Answers HEAD from facts alone, without opening anything. */
export function sendFacts(
  req: IncomingMessage,
  res: ServerResponse,
  facts: Facts,
  options: SendOptions & { served?: Served } = {},
): Promise<void> {
  const open = () => Promise.reject(new MirrorError('internal', 'body', 'a HEAD has no body'));
  return write(req, res, { facts, served: options.served, open }, options);
}

async function write(req: IncomingMessage, res: ServerResponse, thing: Sendable, options: SendOptions): Promise<void> {
  const { facts } = thing;
  // a body that ends early or runs on is an error: what follows on the connection would be taken for its rest
  res.strictContentLength = true;
  setFields(res, thing, options);
  const verdict = judgeConditions(req.headers, facts);
  if (verdict === 'not-modified') return finish(res, 304);
  if (verdict === 'failed') return finish(res, 412, 0);
  const { size } = facts;
  // RFC 9110 §14.2: "A server MUST ignore a Range header field received with a request method … for which range handling
  // is not defined. For this specification, GET is the only method for which range handling is defined."
  const asked =
    req.method !== 'GET' || size === undefined || !rangeApplies(req.headers['if-range'] as string | undefined, facts)
      ? undefined
      : parseRange(req.headers.range, size);
  if (asked === 'unsatisfiable') {
    // RFC 9110 §15.5.17: "SHOULD generate a Content-Range header field with a value specifying the current length"
    res.setHeader('content-range', `bytes */${size}`);
    return finish(res, 416, 0);
  }
  res.setHeader('content-type', facts.mediaType);
  if (await sendElsewhere(req, res, thing, bytesOf(asked, size))) return;
  if (asked === undefined) return sendWhole(req, res, thing);
  if (asked.length === 1) return sendRange(res, thing, asked[0]!);
  return sendRanges(res, thing, multipartRanges(asked, size!, facts.mediaType));
}

/** Of the body; undefined for several ranges, which engines do not serve. */
function bytesOf(asked: readonly ByteRange[] | undefined, size: number | undefined): number | undefined {
  if (!asked) return size;
  return asked.length === 1 ? lengthOf(asked[0]!) : undefined;
}

function setFields(res: ServerResponse, { facts, served }: Sendable, options: SendOptions): void {
  for (const [name, value] of Object.entries(options.headers ?? {})) res.setHeader(name, value);
  if (facts.etag) res.setHeader('etag', facts.etag);
  if (facts.lastModified) res.setHeader('last-modified', facts.lastModified);
  if (options.cacheControl) res.setHeader('cache-control', options.cacheControl);
  if (options.vary) res.setHeader('vary', options.vary);
  if (options.encoding) res.setHeader('content-encoding', options.encoding);
  if (served) res.setHeader('x-larder-served', served);
  if (facts.size !== undefined) res.setHeader('accept-ranges', 'bytes');
}

function finish(res: ServerResponse, status: number, length?: number): void {
  res.statusCode = status;
  if (length !== undefined) res.setHeader('content-length', length);
  res.removeHeader('content-encoding');
  res.end();
}

async function sendWhole(req: IncomingMessage, res: ServerResponse, thing: Sendable): Promise<void> {
  res.statusCode = 200;
  if (thing.facts.size !== undefined) res.setHeader('content-length', thing.facts.size);
  if (req.method === 'HEAD') return void res.end();
  await sendBody(res, await thing.open(), true);
}

async function sendRange(res: ServerResponse, thing: Sendable, range: ByteRange): Promise<void> {
  res.statusCode = 206;
  res.setHeader('content-range', `bytes ${range.start}-${range.end}/${thing.facts.size}`);
  res.setHeader('content-length', lengthOf(range));
  await sendBody(res, await thing.open(range), true);
}

async function sendRanges(res: ServerResponse, thing: Sendable, layout: MultipartRanges): Promise<void> {
  res.statusCode = 206;
  res.setHeader('content-type', layout.contentType);
  res.setHeader('content-length', layout.length);
  for (const { head, range } of layout.parts) {
    const body = await thing.open(range);
    // a body may fail while its head waits; that is met below, and unheard it would end the process
    if (!Buffer.isBuffer(body)) body.on('error', () => undefined);
    if (!res.write(head)) await drained(res);
    await sendBody(res, body, false);
    if (res.destroyed) return;
  }
  res.end(layout.tail);
}

/** Writes a body with back-pressure; a client that leaves ends the reader. */
async function sendBody(res: ServerResponse, body: Body, last: boolean): Promise<void> {
  if (Buffer.isBuffer(body)) {
    if (last) res.end(body);
    else res.write(body);
    return;
  }
  if (res.destroyed) {
    body.destroy();
    return;
  }
  const left = () => body.destroy();
  res.once('close', left);
  // headers go out at once: clients give a mirror seconds for them, and the body may take its time
  res.flushHeaders();
  try {
    if (writesItself(body)) await body.writeTo((chunk) => written(res, chunk));
    else await pump(body, res);
    if (last && !res.destroyed) res.end();
  } catch (error) {
    const isOver = res.destroyed || error instanceof ClientLeft;
    res.destroy();
    if (!isOver) throw error;
  } finally {
    res.off('close', left);
    body.destroy();
  }
}

/** Nobody's fault: what is written to a client that is gone fails before its connection is known to be closed. */
class ClientLeft extends Error {}

/** Writes a chunk, and waits until it has left for the system: its buffer may be used again then. */
function written(res: ServerResponse, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    // an answer that waits behind another on its connection is never called back when the client leaves
    const closed = () => reject(new ClientLeft());
    res.once('close', closed);
    res.write(chunk, (error) => {
      res.off('close', closed);
      if (error) reject(new ClientLeft());
      else resolve();
    });
  });
}

/** Plain events and no generator: this is where the bytes of every download go through. */
function pump(body: Readable, res: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    // what failed before anybody listened says nothing more
    if (body.destroyed) {
      reject(body.errored ?? new Error('the body was cut off'));
      return;
    }
    const resume = () => body.resume();
    const done = (error?: Error | null) => {
      res.off('drain', resume);
      if (error) reject(error);
      else resolve();
    };
    res.on('drain', resume);
    body.on('data', (chunk: Buffer) => {
      try {
        if (!res.write(chunk)) body.pause();
      } catch (error) {
        done(error as Error);
      }
    });
    body.once('end', () => done());
    body.once('error', done);
    body.once('close', () => done(body.readableEnded ? null : new Error('the body was cut off')));
  });
}

/** Resolves when more may be written, or nobody reads any more. */
export function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.once('drain', done);
    res.once('close', done);
    if (res.destroyed) done();
  });
}

import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { type ByteRange, lengthOf } from '../model/byte-range.ts';
import { MirrorError } from '../model/errors.ts';
import { UnfitAnswer } from './engine-answer.ts';
import { EngineBody } from './engine-body.ts';
import type { ObjectStat } from './object-store.ts';

/** Milliseconds of silence after which an engine is given up. */
const LIMIT = 60_000;
const agents = {
  'http:': new HttpAgent({ keepAlive: true, maxSockets: 128 }),
  'https:': new HttpsAgent({ keepAlive: true, maxSockets: 128 }),
};

/** From here on a part is worth a connection of its own. */
const LARGE = 1 << 20;

/** Opens a presigned URL, in the way that is best for so much. @returns undefined for 404 */
export async function openUrl(
  url: string,
  range?: ByteRange,
): Promise<{ stat: ObjectStat; body: Readable } | undefined> {
  if (range && lengthOf(range) >= LARGE) {
    try {
      const { fields, body } = await EngineBody.open(url, range);
      return { stat: statOf(fields), body };
    } catch (error) {
      if (!(error instanceof UnfitAnswer)) throw error;
    }
  }
  const answer = await openSigned(url, range);
  return answer && { stat: statOf(answer.headers), body: answer };
}

function statOf(fields: IncomingHttpHeaders): ObjectStat {
  const { 'content-range': part, 'content-length': length, etag = '', 'last-modified': modified = 0 } = fields;
  return { size: Number(/\/(\d+)$/.exec(part ?? '')?.[1] ?? length), etag, modified: new Date(modified) };
}

/**
 * Opens a presigned URL with plain node:http: a body of the SDK costs five times as much.
 * @returns the answer with its body not yet read, or undefined for 404
 */
async function openSigned(url: string, range?: ByteRange): Promise<IncomingMessage | undefined> {
  const { protocol } = new URL(url);
  const ask = protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = range ? { range: `bytes=${range.start}-${range.end}` } : {};
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const req = ask(url, { headers, agent: agents[protocol as keyof typeof agents], timeout: LIMIT }, resolve);
    req.once('timeout', () => req.destroy(new Error('no answer')));
    req.once('error', reject);
    req.end();
  });
  if (isAnswerTo(answer, range)) return answer;
  const words = (await text(answer)).slice(0, 500);
  if (answer.statusCode === 404 && !words.includes('NoSuchBucket')) return undefined;
  const name = /<Code>([^<]*)</.exec(words)?.[1] ?? 'error';
  throw Object.assign(new MirrorError('unavailable', 'store', `the engine answered ${answer.statusCode} ${name}`), {
    originStatus: answer.statusCode,
  });
}

/** The whole in answer to a part would be taken for the part; an engine may say 200 when the two are the same. */
function isAnswerTo({ statusCode, headers }: IncomingMessage, range: ByteRange | undefined): boolean {
  if (!range) return statusCode === 200;
  return statusCode === 206 || (statusCode === 200 && headers['content-length'] === String(lengthOf(range)));
}

async function text(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

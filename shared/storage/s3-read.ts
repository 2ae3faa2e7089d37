import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { ByteRange } from '../model/byte-range.ts';
import { MirrorError } from '../model/errors.ts';

/** Milliseconds of silence after which an engine is given up. */
const LIMIT = 60_000;
const agents = {
  'http:': new HttpAgent({ keepAlive: true, maxSockets: 128 }),
  'https:': new HttpsAgent({ keepAlive: true, maxSockets: 128 }),
};

/**
 * Opens a presigned URL with plain node:http: a body of the SDK costs five times as much.
 * @returns the answer with its body not yet read, or undefined for 404
 */
export async function openSigned(url: string, range?: ByteRange): Promise<IncomingMessage | undefined> {
  const { protocol } = new URL(url);
  const ask = protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = range ? { range: `bytes=${range.start}-${range.end}` } : {};
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const req = ask(url, { headers, agent: agents[protocol as keyof typeof agents], timeout: LIMIT }, resolve);
    req.once('timeout', () => req.destroy(new Error('no answer')));
    req.once('error', reject);
    req.end();
  });
  if (answer.statusCode === 200 || answer.statusCode === 206) return answer;
  const words = (await text(answer)).slice(0, 500);
  if (answer.statusCode === 404 && !words.includes('NoSuchBucket')) return undefined;
  const name = /<Code>([^<]*)</.exec(words)?.[1] ?? 'error';
  throw Object.assign(new MirrorError('unavailable', 'store', `the engine answered ${answer.statusCode} ${name}`), {
    originStatus: answer.statusCode,
  });
}

async function text(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

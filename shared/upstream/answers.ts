import type { Readable } from 'node:stream';
import type { Promised } from '../model/digest.ts';
import type { Facts } from '../model/entry.ts';
import { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import { shownUrl } from './credentials.ts';
import { decoderFor, through } from './decode.ts';
import { isAbsent, type OriginDescription } from './origin.ts';
import { retryAfterSeconds, waitOf } from './pace.ts';
import type { Arrival, FetchOptions } from './upstream.ts';

/** What an origin answered: the last hop, and all that led there. */
export interface Answer {
  status: number;
  /** By lower-case name. */
  headers: Record<string, string>;
  url: string;
  body: Readable;
  /** Every hop in its order, the answering one last: some origins say what a thing is before they send on to its bytes. */
  hops: { status: number; headers: Record<string, string>; url: string }[];
}

/** Fields that make a request conditional or partial. */
export function conditionalFields({ validators, range }: FetchOptions): Record<string, string> {
  const fields: Record<string, string> = {};
  if (range) {
    fields.range = `bytes=${range.start}-${range.end ?? ''}`;
    // RFC 9110 §13.1.5: "A client MUST NOT generate an If-Range header field containing an entity tag that is marked as weak"
    const strong = validators?.etag?.startsWith('W/') ? undefined : validators?.etag;
    const condition = strong ?? validators?.lastModified;
    if (condition) fields['if-range'] = condition;
  } else {
    if (validators?.etag) fields['if-none-match'] = validators.etag;
    if (validators?.lastModified) fields['if-modified-since'] = validators.lastModified;
  }
  return fields;
}

/** Turns an answer into what a mirror understands. Takes care of the body in every case. */
export function arrivalOf(answer: Answer, ref: Ref, origin: OriginDescription, options: FetchOptions): Arrival {
  const { status, body } = answer;
  if (status === 200 || status === 203) return fresh(answer, ref, origin);
  if (status === 206 && options.range) return partial(answer, ref, origin, options.range.start);
  body.resume();
  body.on('error', () => undefined);
  const refusal = status >= 400 ? origin.refusal?.(answer, ref) : undefined;
  if (refusal === 'absent') return { outcome: 'absent' };
  if (refusal) throw refusal;
  if (status === 304) return { outcome: 'unchanged', facts: factsOf(answer, ref, origin).facts };
  if (isAbsent(origin, status)) return { outcome: 'absent' };
  if ([401, 402, 403, 407, 412, 451].includes(status)) throw denied(answer, ref);
  const retryAfter =
    status === 429 || status === 503 ? retryAfterSeconds(waitOf(answer.headers), Date.now()) : undefined;
  throw new MirrorError('upstream-failed', ref.subject, `${shownUrl(answer.url)} answered ${status}`, {
    originStatus: status,
    retryAfter,
  });
}

/** The origin knows, and does not want us to have it: passed on as it is, never worked around. */
export function denied(answer: Answer, ref: Ref): MirrorError {
  return new MirrorError(
    'upstream-denied',
    ref.subject,
    `${shownUrl(answer.url)} refused it to the mirror (${answer.status})`,
    {
      originStatus: answer.status,
    },
  );
}

function fresh(answer: Answer, ref: Ref, origin: OriginDescription): Arrival {
  const { facts, promised } = factsOf(answer, ref, origin);
  const coding = answer.headers['content-encoding'];
  if (!coding || coding === 'identity') return { outcome: 'fresh', facts, promised, body: answer.body };
  const decoder = decoderFor(coding);
  if (!decoder) {
    answer.body.destroy();
    throw new MirrorError(
      'upstream-failed',
      ref.subject,
      `${shownUrl(answer.url)} sent the coding "${coding}", which was not asked for`,
    );
  }
  const { size: _coded, ...rest } = facts;
  const { size: _codedToo, ...promises } = promised ?? {};
  return { outcome: 'fresh', facts: rest, promised: promises, body: through(answer.body, decoder) };
}

function partial(answer: Answer, ref: Ref, origin: OriginDescription, start: number): Arrival {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.headers['content-range'] ?? '');
  if (!range || Number(range[1]) !== start) {
    answer.body.destroy();
    throw new MirrorError(
      'upstream-failed',
      ref.subject,
      `${shownUrl(answer.url)} answered with another range than was asked for`,
    );
  }
  const { facts } = factsOf(answer, ref, origin);
  const total = range[3] === '*' ? undefined : Number(range[3]);
  return {
    outcome: 'fresh',
    facts: { ...facts, size: total },
    body: answer.body,
    range: { start, end: Number(range[2]), total },
  };
}

function factsOf(answer: Answer, ref: Ref, origin: OriginDescription): { facts: Facts; promised?: Promised } {
  return origin.facts?.(answer, ref) ?? httpFacts(answer);
}

/** What HTTP itself says of a body: type, length, validators. */
export function httpFacts({ headers }: Pick<Answer, 'headers'>): { facts: Facts; promised: Promised } {
  const length = headers['content-length'];
  const size = length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined;
  const facts: Facts = {
    size,
    mediaType: headers['content-type'] ?? 'application/octet-stream',
    etag: headers.etag,
    lastModified: headers['last-modified'],
    headers: {},
  };
  return { facts, promised: { size } };
}

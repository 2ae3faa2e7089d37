import { judgeConditions } from '../../shared/http/conditional.ts';
import { send, sendFacts } from '../../shared/http/send.ts';
import { parseRange } from '../../shared/model/byte-range.ts';
import { type Entry, factsOf } from '../../shared/model/entry.ts';
import { type Asked, field, numberIn, param, sendEmpty } from './asked.ts';
import { openObject, partOf } from './bodies.ts';
import { fieldOf } from './body/checksums.ts';
import { receive } from './body/receive.ts';
import { checkBucket } from './buckets.ts';
import { S3Error } from './errors.ts';
import { objectKey } from './keys.ts';
import { metadataOf, sentHeaders } from './metadata.ts';
import type { Turns } from './turns.ts';

/** What a presigned address may say of its answer. */
const OVERRIDES: Record<string, string> = {
  'response-content-type': 'content-type',
  'response-content-language': 'content-language',
  'response-expires': 'expires',
  'response-cache-control': 'cache-control',
  'response-content-disposition': 'content-disposition',
  'response-content-encoding': 'content-encoding',
};

/** Throws `NoSuchBucket`, `NoSuchKey`. */
export async function findObject({ context, bucket, key }: Pick<Asked, 'context' | 'bucket' | 'key'>): Promise<Entry> {
  const entry = await context.catalog.get(objectKey(bucket, key));
  if (entry) return entry;
  await checkBucket(context, bucket);
  throw new S3Error('not-found', 'NoSuchKey', 'there is no such object', { extra: { Key: key } });
}

/** GET and HEAD of an object (API_GetObject.html): conditions, a range, a part by its number. */
export async function getObject(asked: Asked): Promise<void> {
  const { context, req, res, identity } = asked;
  const version = param(asked, 'versionId');
  if (version !== undefined && version !== 'null')
    throw new S3Error('not-found', 'NoSuchVersion', 'there are no versions here, but "null"');
  const entry = await findObject(asked);
  const facts = factsOf(entry);
  if (judgeConditions(req.headers, facts) === 'failed') throw preconditionFailed();
  const number = numberIn(asked, 'partNumber', 10_001);
  if (number !== undefined) askForPart(asked, entry, number);
  if (req.method === 'GET' && parseRange(req.headers.range, entry.size) === 'unsatisfiable')
    throw new S3Error('range', 'InvalidRange', 'the range is not within the object', {
      headers: { 'content-range': `bytes */${entry.size}` },
      extra: { ActualObjectSize: entry.size },
    });
  const isPart = req.headers.range !== undefined;
  // a checksum of the whole is wrong for a part of it
  const withChecksum = !isPart && field(asked, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED';
  const headers = { ...sentHeaders(entry.headers, withChecksum), ...overrides(asked, identity !== undefined) };
  const { 'content-type': mediaType = entry.mediaType, ...others } = headers;
  if (number !== undefined && entry.parts) res.setHeader('x-amz-mp-parts-count', entry.parts.length);
  const shown = { ...facts, mediaType };
  if (req.method === 'HEAD' && number === undefined) return sendFacts(req, res, shown, { headers: others });
  const open = (range?: { start: number; end: number }) => openObject(context.blobs, entry, range);
  if (req.method === 'HEAD') return sendPartFacts(asked, entry, number!, others);
  return send(req, res, { facts: shown, served: 'hit', open }, { headers: others });
}

function askForPart(asked: Asked, entry: Entry, number: number): void {
  const { req } = asked;
  if (req.headers.range !== undefined)
    throw new S3Error('bad-request', 'InvalidRequest', 'a range and a part number cannot both be asked for');
  const range = number > 0 ? partOf(entry, number) : undefined;
  if (!range) throw new S3Error('range', 'InvalidPart', 'there is no part of this number', { status: 416 });
  if (entry.parts && entry.size > 0) req.headers.range = `bytes=${range.start}-${range.end}`;
}

/** A HEAD of a part says the length of the part. */
function sendPartFacts(asked: Asked, entry: Entry, number: number, headers: Record<string, string>): void {
  const { start, end } = partOf(entry, number)!;
  const { res } = asked;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader('etag', entry.etag!);
  res.setHeader('last-modified', entry.lastModified!);
  res.setHeader('content-type', entry.mediaType);
  if (entry.parts) res.setHeader('content-range', `bytes ${start}-${end}/${entry.size}`);
  res.setHeader('content-length', end - start + 1);
  res.statusCode = entry.parts ? 206 : 200;
  res.end();
}

function overrides(asked: Asked, isSigned: boolean): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of asked.address.query) {
    const header = OVERRIDES[name];
    if (header === undefined) continue;
    if (!isSigned)
      throw new S3Error('bad-request', 'InvalidRequest', 'only signed requests may say what the answer looks like');
    if (/[\r\n\0]/.test(value)) throw new S3Error('bad-request', 'InvalidArgument', `${name} is no value of a field`);
    found[header] = value;
  }
  return found;
}

export function preconditionFailed(): S3Error {
  return new S3Error('conflict', 'PreconditionFailed', 'a condition of the request does not hold', { status: 412 });
}

/** `If-Match` and `If-None-Match` of what writes (conditional-writes.html). Throws `PreconditionFailed`, `NoSuchKey`. */
export function checkWriteConditions(asked: Asked, held: Entry | undefined): void {
  const [match, none] = [field(asked, 'if-match'), field(asked, 'if-none-match')];
  if (none !== undefined && held && (none === '*' || unquoted(none) === unquoted(held.etag!)))
    throw preconditionFailed();
  if (match === undefined) return;
  if (!held) throw new S3Error('not-found', 'NoSuchKey', 'there is no such object', { extra: { Key: asked.key } });
  if (match !== '*' && unquoted(match) !== unquoted(held.etag!)) throw preconditionFailed();
}

export const unquoted = (etag: string) => etag.trim().replace(/^"|"$/g, '');

/** PUT of an object (API_PutObject.html). */
export async function putObject(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket, key } = asked;
  await checkBucket(context, bucket);
  const name = objectKey(bucket, key);
  const metadata = metadataOf(asked);
  // before the body, which may be long; and again when it is here
  checkWriteConditions(asked, await context.catalog.get(name));
  const { digest, size, md5, checksum } = await receive(asked, context.config.putBytes);
  const told: Record<string, string> = checksum
    ? { [fieldOf(checksum.algorithm)]: checksum.value, 'x-amz-checksum-type': 'FULL_OBJECT' }
    : {};
  const headers = { ...metadata.headers, ...told };
  const entry = stamped(context.now(), {
    ...{ key: name, digest, size, mediaType: metadata.mediaType, etag: `"${md5}"`, headers },
  });
  await turns.run(name, async () => {
    checkWriteConditions(asked, await context.catalog.get(name));
    await context.catalog.put(entry);
  });
  sendEmpty(asked, 200, { etag: entry.etag!, ...told });
}

/** An entry of now. */
export function stamped(now: number, entry: Omit<Entry, 'origin' | 'storedAt' | 'checkedAt' | 'lastModified'>): Entry {
  const at = new Date(now);
  const stamp = at.toISOString();
  return { ...entry, origin: 'upload', storedAt: stamp, checkedAt: stamp, lastModified: at.toUTCString() };
}

/** DELETE of an object, also of one that is not there (API_DeleteObject.html). */
export async function deleteObject(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket, key } = asked;
  await checkBucket(context, bucket);
  const name = objectKey(bucket, key);
  await turns.run(name, async () => {
    if (field(asked, 'if-match') !== undefined) checkWriteConditions(asked, await context.catalog.get(name));
    await context.catalog.delete(name);
  });
  sendEmpty(asked, 204);
}

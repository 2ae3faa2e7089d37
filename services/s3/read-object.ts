import { send, sendFacts } from '../../shared/http/send.ts';
import { lengthOf } from '../../shared/model/byte-range.ts';
import { type Entry, factsOf } from '../../shared/model/entry.ts';
import { type Asked, field, param } from './asked.ts';
import { bodyOf } from './bodies.ts';
import { checkBucket } from './buckets.ts';
import { judge, noSuchKey, preconditionFailed } from './conditions.ts';
import { S3Error } from './errors.ts';
import { sentHeaders } from './metadata.ts';
import { type Portion, partNumberOf, portionOf } from './ranges.ts';

/** What a presigned address may say of its answer. */
const OVERRIDES: Record<string, string> = {
  'response-content-type': 'content-type',
  'response-content-language': 'content-language',
  'response-expires': 'expires',
  'response-cache-control': 'cache-control',
  'response-content-disposition': 'content-disposition',
  'response-content-encoding': 'content-encoding',
};

/** What a field of an answer can say. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Throws `NoSuchBucket`, `NoSuchKey`. */
export async function findObject({ view, bucket, key }: Pick<Asked, 'view' | 'bucket' | 'key'>): Promise<Entry> {
  const entry = await view.get(key);
  if (entry) return entry;
  await checkBucket({ view, bucket });
  throw noSuchKey(key);
}

/** GET and HEAD of an object (API_GetObject.html, API_HeadObject.html): conditions, a range, a part by its number. */
export async function getObject(asked: Asked): Promise<void> {
  const { context, req, res } = asked;
  checkVersion(param(asked, 'versionId'));
  const changed = overrides(asked);
  const part = partNumberOf(asked);
  const entry = await findObject(asked);
  const verdict = judge(asked, entry);
  if (verdict === 'failed') throw preconditionFailed();
  // AWS says nothing of a whole object's checksum in a 304, and boto3 falls over one that is there
  const portion = verdict === 'send' ? portionOf(asked, entry, part) : undefined;
  const isWhole = portion === undefined && verdict === 'send';
  const headers = { ...sentHeaders(entry.headers, isWhole && wantsChecksum(asked)), ...changed };
  const { 'content-type': mediaType = entry.mediaType, ...others } = headers;
  if (portion?.part !== undefined && entry.parts) res.setHeader('x-amz-mp-parts-count', entry.parts.length);
  const shown = { ...factsOf(entry), mediaType };
  settle(asked, portion);
  if (req.method === 'HEAD')
    return portion ? sendPortionFacts(asked, shown, portion, others) : sendFacts(req, res, shown, { headers: others });
  const open = (range?: { start: number; end: number }) => bodyOf(context.blobs, asked.small, entry, range);
  return send(req, res, { facts: shown, served: 'hit', open }, { headers: others });
}

/** The writer of bodies reads conditions and ranges as HTTP has them; what S3 makes of them stands here. */
function settle({ req }: Asked, portion: Portion | undefined): void {
  if (portion) req.headers.range = `bytes=${portion.start}-${portion.end}`;
  else delete req.headers.range;
  for (const name of ['if-match', 'if-none-match'])
    if (req.headers[name] !== undefined && !/["*]/.test(req.headers[name] as string))
      req.headers[name] = `"${req.headers[name]}"`;
}

const wantsChecksum = (asked: Asked) => field(asked, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED';

/** There is one version of everything, and its name is "null". Throws `NoSuchVersion`. */
export function checkVersion(version: string | undefined): void {
  if (version === undefined || version === '' || version === 'null') return;
  throw new S3Error('not-found', 'NoSuchVersion', 'The specified version does not exist.', {
    extra: { VersionId: version.slice(0, 100) },
  });
}

/** S3 says of a HEAD with a range what a GET of it would have: HTTP alone does not know such a thing. */
function sendPortionFacts(
  { res }: Asked,
  facts: ReturnType<typeof factsOf>,
  portion: Portion,
  headers: Record<string, string>,
): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader('etag', facts.etag!);
  res.setHeader('last-modified', facts.lastModified!);
  res.setHeader('accept-ranges', 'bytes');
  res.setHeader('content-type', facts.mediaType);
  res.setHeader('content-range', `bytes ${portion.start}-${portion.end}/${facts.size}`);
  res.setHeader('content-length', lengthOf(portion));
  res.statusCode = 206;
  res.end();
}

function overrides(asked: Asked): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of asked.address.query) {
    if (!Object.hasOwn(OVERRIDES, name)) continue;
    if (asked.identity === undefined)
      throw new S3Error(
        'bad-request',
        'InvalidRequest',
        'Request specific response headers cannot be used for anonymous GET requests.',
      );
    if (!FIELD_VALUE.test(value))
      throw new S3Error('bad-request', 'InvalidArgument', 'Header value cannot be represented using ISO-8859-1.', {
        extra: { ArgumentName: name, ArgumentValue: value.slice(0, 100) },
      });
    found[OVERRIDES[name]!] = value;
  }
  return found;
}

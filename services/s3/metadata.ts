import { type Asked, field } from './asked.ts';
import { S3Error } from './errors.ts';

/** Fields of HTTP that are kept with an object and given back as they came. */
const CONTENT = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires'];
const META = 'x-amz-meta-';
/** Bytes of all names and values of a user's own metadata (UsingMetadata.html). */
const MOST_META = 2048;
const MOST_TAGS = 10;

/** Kept among an object's headers, and never sent. */
export const TAGS = '#tags';

export interface Metadata {
  mediaType: string;
  /** Lower-case names; tags among them. */
  headers: Record<string, string>;
}

/** What a request says of the object that it makes. Throws `MetadataTooLarge`, `InvalidTag`. */
export function metadataOf(asked: Asked): Metadata {
  const headers: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(asked.req.headers)) {
    if (typeof value !== 'string') continue;
    if (name.startsWith(META)) {
      bytes += name.length - META.length + Buffer.byteLength(value);
      headers[name] = value;
    } else if (CONTENT.includes(name)) headers[name] = value;
  }
  if (bytes > MOST_META)
    throw new S3Error('bad-request', 'MetadataTooLarge', `metadata of ${bytes} bytes, and ${MOST_META} are taken`);
  // it says how the body came, and not what the object is
  const coding = headers['content-encoding']
    ?.split(',')
    .map((one) => one.trim())
    .filter((one) => one !== 'aws-chunked');
  if (coding?.length) headers['content-encoding'] = coding.join(',');
  else delete headers['content-encoding'];
  const tagging = field(asked, 'x-amz-tagging');
  if (tagging) headers[TAGS] = JSON.stringify(checkTags([...new URLSearchParams(tagging)]));
  return { mediaType: field(asked, 'content-type')?.slice(0, 256) || 'binary/octet-stream', headers };
}

export type TagPair = [string, string];

/** Throws `InvalidTag` for too many, too long, or one name twice (object-tagging.html). */
export function checkTags(tags: TagPair[]): TagPair[] {
  const invalid = (message: string) => new S3Error('bad-request', 'InvalidTag', message);
  if (tags.length > MOST_TAGS) throw invalid(`an object has at most ${MOST_TAGS} tags`);
  for (const [name, value] of tags)
    if (name === '' || name.length > 128 || value.length > 256)
      throw invalid('the name of a tag has 1 to 128 characters, and its value at most 256');
  if (new Set(tags.map(([name]) => name)).size < tags.length) throw invalid('one tag is there twice');
  return tags;
}

export function tagsIn(headers: Record<string, string>): TagPair[] {
  return headers[TAGS] ? (JSON.parse(headers[TAGS]) as TagPair[]) : [];
}

/** What of an object's headers goes out with it. */
export function sentHeaders(headers: Record<string, string>, withChecksum: boolean): Record<string, string> {
  const sent: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('#')) continue;
    if (name.startsWith('x-amz-checksum-') && !withChecksum) continue;
    sent[name] = value;
  }
  const tags = tagsIn(headers).length;
  return tags > 0 ? { ...sent, 'x-amz-tagging-count': String(tags) } : sent;
}

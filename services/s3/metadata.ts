import { joinedFields } from './admission.ts';
import { type Asked, field } from './asked.ts';
import { S3Error } from './errors.ts';
import { checkWishes } from './wishes.ts';

export const WEBSITE = 'x-amz-website-redirect-location';

/** Fields of HTTP that are kept with an object and given back as they came. */
const CONTENT = [
  ...['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires'],
  WEBSITE,
];
const META = 'x-amz-meta-';
/** Bytes of all names and values of a user's own metadata (UsingMetadata.html). */
const MOST_META = 2048;
const MOST_TAGS = 10;
export const MOST_BUCKET_TAGS = 50;

/** Kept among an object's headers, and never sent. */
export const TAGS = '#tags';

export interface Metadata {
  mediaType: string;
  /** Lower-case names; tags among them. */
  headers: Record<string, string>;
}

/** What a request says of the object that it makes. Throws `MetadataTooLarge`, `InvalidTag`, and what `checkWishes` throws. */
export function metadataOf(asked: Asked): Metadata {
  checkWishes(asked);
  const headers: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(joinedFields(asked.req.rawHeaders))) {
    if (name.startsWith(META)) {
      bytes += name.length - META.length + Buffer.byteLength(value);
      headers[name] = value;
    } else if (CONTENT.includes(name)) headers[name] = value;
  }
  if (bytes > MOST_META)
    throw new S3Error(
      'bad-request',
      'MetadataTooLarge',
      'Your metadata headers exceed the maximum allowed metadata size',
      {
        extra: { Size: bytes, MaxSizeAllowed: MOST_META },
      },
    );
  // it says how the body came, and not what the object is
  const coding = headers['content-encoding'];
  if (coding?.includes('aws-chunked')) {
    const others = coding.split(',').map((one) => one.trim());
    headers['content-encoding'] = others.filter((one) => one !== 'aws-chunked').join(',');
  }
  if (headers['content-encoding'] === '') delete headers['content-encoding'];
  const website = headers[WEBSITE];
  if (website !== undefined && !/^(\/|https?:\/\/)/.test(website))
    throw new S3Error(
      'bad-request',
      'InvalidRedirectLocation',
      "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
    );
  const tags = taggingOf(field(asked, 'x-amz-tagging') ?? '');
  if (tags.length > 0) headers[TAGS] = JSON.stringify(tags);
  const usual = asked.key.endsWith('/') ? 'application/x-directory' : 'binary/octet-stream';
  return { mediaType: field(asked, 'content-type')?.slice(0, 256) || usual, headers };
}

export type TagPair = [string, string];

/** `x-amz-tagging`: `name=value&…`, encoded as an address is. Throws `InvalidArgument`, and what `checkTags` throws. */
export function taggingOf(text: string): TagPair[] {
  const invalid = () =>
    new S3Error(
      'bad-request',
      'InvalidArgument',
      "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      { extra: { ArgumentName: 'x-amz-tagging', ArgumentValue: text.slice(0, 200) } },
    );
  const pairs = text
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): TagPair => {
      const [name = '', ...value] = pair.split('=');
      try {
        const plain = (part: string) => decodeURIComponent(part.replaceAll('+', ' '));
        return [plain(name), plain(value.join('='))];
      } catch {
        throw invalid();
      }
    });
  if (pairs.some(([name]) => name === '') || new Set(pairs.map(([name]) => name)).size < pairs.length) throw invalid();
  return checkTags(pairs);
}

/** Letters, digits and blanks of any script, and some signs (object-tagging.html). */
const TAG = /^[\p{L}\p{N}\p{Zs}_.:/=+\-@]*$/u;

/** Throws `InvalidTag`, and `BadRequest` for too many (object-tagging.html). */
export function checkTags(tags: TagPair[], most = MOST_TAGS, of = 'Object'): TagPair[] {
  const invalid = (message: string) => new S3Error('bad-request', 'InvalidTag', message);
  if (tags.length > most)
    throw new S3Error(
      'bad-request',
      'BadRequest',
      of === 'Object'
        ? `Object tags cannot be greater than ${most}`
        : `Bucket tag count cannot be greater than ${most}`,
    );
  for (const [name, value] of tags) {
    if (name === '' || [...name].length > 128 || !TAG.test(name))
      throw invalid('The TagKey you have provided is invalid');
    if ([...value].length > 256 || !TAG.test(value)) throw invalid('The TagValue you have provided is invalid');
  }
  if (new Set(tags.map(([name]) => name)).size < tags.length)
    throw invalid('Cannot provide multiple Tags with the same key');
  return tags;
}

export function tagsIn(headers: Record<string, string>): TagPair[] {
  return headers[TAGS] ? (JSON.parse(headers[TAGS]) as TagPair[]) : [];
}

/** What of an object's headers goes out with it. */
export function sentHeaders(headers: Record<string, string>, withChecksum: boolean): Record<string, string> {
  const sent: Record<string, string> = { 'x-amz-storage-class': 'STANDARD' };
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('#')) continue;
    if (name.startsWith('x-amz-checksum-') && !withChecksum) continue;
    sent[name] = value;
  }
  const tags = tagsIn(headers).length;
  return tags > 0 ? { ...sent, 'x-amz-tagging-count': String(tags) } : sent;
}

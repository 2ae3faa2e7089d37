import { Readable } from 'node:stream';
import type { Turns } from '../../shared/mirror/turns.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, field, sendXml } from './asked.ts';
import { openObject } from './bodies.ts';
import { ALGORITHMS, type Algorithm, algorithmOf, checksumIn, sentChecksum, startChecksum } from './body/checksums.ts';
import { checkBucket } from './buckets.ts';
import { checksumElements } from './checksum-elements.ts';
import { judge, preconditionFailed } from './conditions.ts';
import { S3Error } from './errors.ts';
import { objectKey } from './keys.ts';
import { type Metadata, metadataOf, TAGS, WEBSITE } from './metadata.ts';
import { stamped, writeObject } from './objects.ts';
import { checkVersion, findObject } from './read-object.ts';
import { element, s3Document } from './xml.ts';

/** The object that `x-amz-copy-source` names, when its own conditions hold. Throws `NoSuchKey`, `PreconditionFailed`. */
export async function copySource(asked: Asked): Promise<{ entry: Entry; bucket: string; key: string }> {
  const [path = '', version] = field(asked, 'x-amz-copy-source')!.split('?versionId=');
  const [bucket = '', ...rest] = decoded(path).replace(/^\//, '').split('/');
  const key = rest.join('/');
  if (bucket === '') throw badSource('Invalid copy source bucket name', path);
  if (key === '') throw badSource('Invalid copy source object key', path);
  checkVersion(version);
  asked.checkRead(bucket);
  const view = asked.views(bucket);
  const entry = await findObject({ view, bucket, key });
  if (judge(asked, entry, 'x-amz-copy-source-') !== 'send') throw preconditionFailed();
  return { entry, bucket, key };
}

function badSource(message: string, value: string, cause?: unknown): S3Error {
  return new S3Error('bad-request', 'InvalidArgument', message, {
    cause,
    extra: { ArgumentName: 'x-amz-copy-source', ArgumentValue: value.slice(0, 200) },
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw badSource('Invalid copy source encoding', text, cause);
  }
}

/** A copy is one more name: no bytes move (API_CopyObject.html). */
export async function copyObject(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket, key } = asked;
  await checkBucket(asked);
  const source = await copySource(asked);
  const replaces = directive(asked, 'x-amz-metadata-directive') === 'REPLACE';
  if (!replaces && source.bucket === bucket && source.key === key && !changesItself(asked))
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    );
  const algorithm = newAlgorithm(asked, source.entry);
  const { mediaType, headers: kept } = keptMetadata(asked, source.entry, replaces);
  const headers = algorithm ? await withChecksum(asked, source.entry, kept, algorithm) : kept;
  const name = objectKey(bucket, key);
  const { digest, size, etag, parts } = source.entry;
  const entry = stamped(context.now(), {
    key: name,
    digest,
    size,
    mediaType,
    etag,
    headers,
    ...(parts ? { parts } : {}),
  });
  // a mirror keeps no blob for a file without bytes; a name of this site has one
  if (size === 0) await context.blobs.put(digest, 0, Readable.from([]));
  await turns.run(name, () => writeObject(asked, entry));
  sendXml(
    asked,
    s3Document('CopyObjectResult', [
      ...[element('LastModified', entry.storedAt), element('ETag', etag!)],
      ...checksumElements(checksumIn(headers)),
    ]),
  );
}

const changesItself = (asked: Asked) =>
  ['x-amz-tagging-directive', 'x-amz-checksum-algorithm', WEBSITE, 'x-amz-storage-class'].some(
    (name) => field(asked, name) !== undefined,
  );

/** Another checksum than the object has, where one is asked for: that alone needs its bytes. */
function newAlgorithm(asked: Asked, { headers }: Entry): Algorithm | undefined {
  const name = field(asked, 'x-amz-checksum-algorithm');
  if (name === undefined) return undefined;
  const algorithm = algorithmOf(name);
  if (!algorithm)
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${ALGORITHMS.join(', ')}]`,
    );
  const held = checksumIn(headers);
  return held?.algorithm === algorithm && held.type === 'FULL_OBJECT' ? undefined : algorithm;
}

async function withChecksum(
  { context }: Asked,
  entry: Entry,
  headers: Record<string, string>,
  algorithm: Algorithm,
): Promise<Record<string, string>> {
  const checksum = await startChecksum(algorithm);
  for await (const chunk of await openObject(context.blobs, entry)) checksum.update(chunk as Buffer);
  const others = Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-checksum-'));
  const value = checksum.digest();
  return { ...Object.fromEntries(others), ...sentChecksum({ algorithm, type: 'FULL_OBJECT', value }) };
}

function keptMetadata(asked: Asked, source: Entry, replaces: boolean): Metadata {
  const given = metadataOf(asked);
  const checksums = Object.entries(source.headers).filter(([name]) => name.startsWith('x-amz-checksum-'));
  const { [TAGS]: newTags, ...newHeaders } = given.headers;
  // "This value is unique to each object and is not copied" (API_CopyObject.html)
  const { [TAGS]: oldTags, [WEBSITE]: _old, ...oldHeaders } = source.headers;
  const website = given.headers[WEBSITE];
  const tags = directive(asked, 'x-amz-tagging-directive') === 'REPLACE' ? newTags : oldTags;
  const headers = replaces
    ? { ...newHeaders, ...Object.fromEntries(checksums) }
    : { ...oldHeaders, ...(website ? { [WEBSITE]: website } : {}) };
  return {
    mediaType: replaces ? given.mediaType : source.mediaType,
    headers: { ...headers, ...(tags === undefined ? {} : { [TAGS]: tags }) },
  };
}

function directive(asked: Asked, name: string): string {
  const said = field(asked, name) ?? 'COPY';
  if (said === 'COPY' || said === 'REPLACE') return said;
  throw new S3Error(
    'bad-request',
    'InvalidArgument',
    `Unknown ${name.includes('tagging') ? 'tagging' : 'metadata'} directive.`,
    { extra: { ArgumentName: name, ArgumentValue: said.slice(0, 100) } },
  );
}

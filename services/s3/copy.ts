import { judgeConditions } from '../../shared/http/conditional.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, field, sendXml } from './asked.ts';
import { checkBucket } from './buckets.ts';
import { S3Error } from './errors.ts';
import { objectKey } from './keys.ts';
import { type Metadata, metadataOf, TAGS } from './metadata.ts';
import { checkWriteConditions, findObject, preconditionFailed, stamped } from './objects.ts';
import type { Turns } from './turns.ts';
import { element, s3Document } from './xml.ts';

/** The object that `x-amz-copy-source` names, when its own conditions hold. Throws `NoSuchKey`, `PreconditionFailed`. */
export async function copySource(asked: Asked): Promise<{ entry: Entry; bucket: string; key: string }> {
  const [path = '', version] = field(asked, 'x-amz-copy-source')!.split('?versionId=');
  const [bucket = '', ...rest] = decoded(path).replace(/^\//, '').split('/');
  const key = rest.join('/');
  if (bucket === '' || key === '')
    throw new S3Error('bad-request', 'InvalidArgument', 'x-amz-copy-source has to be <bucket>/<key>, encoded');
  if (version !== undefined && version !== 'null')
    throw new S3Error('not-found', 'NoSuchVersion', 'there are no versions here, but "null"');
  const entry = await findObject({ context: asked.context, bucket, key });
  const conditions = Object.fromEntries(
    ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'].map((name) => [
      name,
      field(asked, `x-amz-copy-source-${name}`),
    ]),
  );
  if (judgeConditions(conditions, entry) !== 'send') throw preconditionFailed();
  return { entry, bucket, key };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new S3Error('bad-request', 'InvalidArgument', 'x-amz-copy-source is not encoded as an address is', { cause });
  }
}

/** A copy is one more name: no bytes move (API_CopyObject.html). */
export async function copyObject(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket, key } = asked;
  await checkBucket(context, bucket);
  const source = await copySource(asked);
  const replaces = directive(asked, 'x-amz-metadata-directive') === 'REPLACE';
  if (!replaces && source.bucket === bucket && source.key === key && !field(asked, 'x-amz-tagging-directive'))
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      'an object can be copied to itself only with other metadata, tags or storage class',
    );
  const { mediaType, headers } = keptMetadata(asked, source.entry, replaces);
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
  await turns.run(name, async () => {
    checkWriteConditions(asked, await context.catalog.get(name));
    await context.catalog.put(entry);
  });
  sendXml(asked, s3Document('CopyObjectResult', [element('LastModified', entry.storedAt), element('ETag', etag!)]));
}

function keptMetadata(asked: Asked, source: Entry, replaces: boolean): Metadata {
  const given = metadataOf(asked);
  const checksums = Object.entries(source.headers).filter(([name]) => name.startsWith('x-amz-checksum-'));
  const { [TAGS]: newTags, ...newHeaders } = given.headers;
  const { [TAGS]: oldTags, ...oldHeaders } = source.headers;
  const tags = directive(asked, 'x-amz-tagging-directive') === 'REPLACE' ? newTags : oldTags;
  const headers = replaces ? { ...newHeaders, ...Object.fromEntries(checksums) } : oldHeaders;
  return {
    mediaType: replaces ? given.mediaType : source.mediaType,
    headers: { ...headers, ...(tags === undefined ? {} : { [TAGS]: tags }) },
  };
}

function directive(asked: Asked, name: string): string {
  const said = field(asked, name) ?? 'COPY';
  if (said === 'COPY' || said === 'REPLACE') return said;
  throw new S3Error('bad-request', 'InvalidArgument', `${name} is COPY or REPLACE`);
}

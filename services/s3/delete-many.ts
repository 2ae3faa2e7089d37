import { createHash } from 'node:crypto';
import { readBody } from '../../shared/http/read-body.ts';
import { type Asked, field, sendXml } from './asked.ts';
import { badMd5, badSha256 } from './body/mismatch.ts';
import { checkBucket } from './buckets.ts';
import { checkMeant, type MeantObject, meansOne } from './conditions.ts';
import { S3Error } from './errors.ts';
import { objectKey } from './keys.ts';
import { checkVersion } from './read-object.ts';
import { malformed, type Parsed, readXml } from './read-xml.ts';
import type { Turns } from './turns.ts';
import { deleteName } from './writes.ts';
import { element, s3Document, type Xml } from './xml.ts';

const MOST_KEYS = 1000;
const MOST_DOCUMENT = 4 << 20;

/** A small document that came as a body, held to its Content-MD5. */
export async function readDocument(asked: Asked, mostBytes = MOST_DOCUMENT): Promise<Buffer> {
  const bytes = await readBody(asked.req, mostBytes, 'document');
  const said = field(asked, 'content-md5');
  const md5 = said === undefined ? undefined : createHash('md5').update(bytes).digest();
  if (md5 && md5.toString('base64') !== said)
    throw badMd5(md5.toString('hex'), Buffer.from(said!, 'base64').toString('hex'));
  const { payload } = asked;
  if (payload.kind !== 'signed') return bytes;
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== payload.sha256) throw badSha256(undefined, { found, wanted: payload.sha256 });
  return bytes;
}

/** Up to 1,000 objects at once (API_DeleteObjects.html); those that are not there are deleted as well. */
export async function deleteObjects(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket } = asked;
  await checkBucket(asked);
  const { Object: objects, Quiet: quiet } = readXml(await readDocument(asked), 'Delete');
  if (!Array.isArray(objects) || objects.length === 0 || objects.length > MOST_KEYS) throw malformed();
  const answers: Xml[] = [];
  for (const one of (objects as Parsed[]).map(namedIn)) {
    const name = objectKey(bucket, one.key);
    try {
      checkVersion(one.version);
      await turns.run(name, async () => {
        if (meansOne(one.meant)) await deleteName(context, name, (held) => checkMeant(one.meant, held));
        else await context.catalog.delete(name);
      });
      if (quiet !== 'true') answers.push(element('Deleted', [element('Key', one.key)]));
    } catch (error) {
      answers.push(element('Error', [element('Key', one.key), ...told(asked, error)]));
    }
  }
  sendXml(asked, s3Document('DeleteResult', answers));
}

interface Named {
  key: string;
  version: string | undefined;
  meant: MeantObject;
}

function namedIn({ Key: key, VersionId, ETag, Size, LastModifiedTime }: Parsed): Named {
  if (typeof key !== 'string' || key === '') throw malformed();
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    key,
    version: text(VersionId),
    meant: { etag: text(ETag), size: text(Size), lastModified: text(LastModifiedTime) },
  };
}

function told({ context, bucket }: Asked, error: unknown): Xml[] {
  if (error instanceof S3Error) return [element('Code', error.code), element('Message', error.message)];
  context.log.error({ event: 'delete', bucket, err: error }, 'an object could not be deleted');
  return [element('Code', 'InternalError'), element('Message', 'the store failed on this object')];
}

import type { Turns } from '../../shared/mirror/turns.ts';
import { checkKey } from './address.ts';
import { type Asked, sendXml } from './asked.ts';
import { checkBucket } from './buckets.ts';
import { checkMeant, type MeantObject, meansOne } from './conditions.ts';
import { S3Error } from './errors.ts';
import { objectKey } from './keys.ts';
import { checkDocument, readDocument } from './read-document.ts';
import { checkVersion } from './read-object.ts';
import { malformed, type Parsed, readXml } from './read-xml.ts';
import { deleteName } from './writes.ts';
import { element, s3Document, type Xml } from './xml.ts';

const MOST_KEYS = 1000;

/** Up to 1,000 objects at once (API_DeleteObjects.html); those that are not there are deleted as well. */
export async function deleteObjects(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket } = asked;
  await checkBucket(asked);
  const bytes = await checkDocument(asked, await readDocument(asked));
  const { Object: objects, Quiet: quiet } = readXml(bytes, 'Delete');
  const answers: Xml[] = [];
  // all are looked at before the first is deleted
  for (const one of namedIn(objects)) {
    const name = objectKey(bucket, one.key);
    try {
      checkVersion(one.version);
      await turns.run(name, async () => {
        if (meansOne(one.meant)) await deleteName(context, name, (held) => checkMeant(one.meant, held));
        else await context.catalog.delete(name);
      });
      if (quiet !== 'true') answers.push(element('Deleted', [element('Key', one.key)]));
    } catch (error) {
      answers.push(element('Error', [element('Key', one.key), ...saidOf(asked, error)]));
    }
  }
  sendXml(asked, s3Document('DeleteResult', answers));
}

interface Named {
  key: string;
  version: string | undefined;
  meant: MeantObject;
}

function namedIn(objects: unknown): Named[] {
  if (!Array.isArray(objects) || objects.length === 0 || objects.length > MOST_KEYS) throw malformed();
  return (objects as Parsed[]).map(({ Key: key, VersionId, ETag, Size, LastModifiedTime }) => {
    if (typeof key !== 'string' || key === '') throw malformed();
    checkKey(key);
    const meant = { etag: textOf(ETag), size: textOf(Size), lastModified: textOf(LastModifiedTime) };
    return { key, version: textOf(VersionId), meant };
  });
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw malformed();
}

function saidOf({ context, bucket }: Asked, error: unknown): Xml[] {
  if (error instanceof S3Error) return [element('Code', error.code), element('Message', error.message)];
  context.log.error({ event: 'delete', bucket, err: error }, 'an object could not be deleted');
  return [element('Code', 'InternalError'), element('Message', 'the store failed on this object')];
}

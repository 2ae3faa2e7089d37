import { createHash } from 'node:crypto';
import { readBody } from '../../shared/http/read-body.ts';
import { type Asked, field, sendXml } from './asked.ts';
import { checkBucket } from './buckets.ts';
import { S3Error } from './errors.ts';
import { objectKey } from './keys.ts';
import { malformed, readXml } from './read-xml.ts';
import type { Turns } from './turns.ts';
import { element, s3Document, type Xml } from './xml.ts';

const MOST_KEYS = 1000;
const MOST_DOCUMENT = 4 << 20;

/** A small document that came as a body, held to its Content-MD5. */
export async function readDocument(asked: Asked, mostBytes = MOST_DOCUMENT): Promise<Buffer> {
  const bytes = await readBody(asked.req, mostBytes, 'document');
  const said = field(asked, 'content-md5');
  if (said !== undefined && createHash('md5').update(bytes).digest('base64') !== said)
    throw new S3Error('bad-request', 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
  const { payload } = asked;
  if (payload.kind === 'signed' && createHash('sha256').update(bytes).digest('hex') !== payload.sha256)
    throw new S3Error(
      'bad-request',
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  return bytes;
}

/** Up to 1,000 objects at once (API_DeleteObjects.html); those that are not there are deleted as well. */
export async function deleteObjects(asked: Asked, turns: Turns): Promise<void> {
  const { context, bucket } = asked;
  await checkBucket(asked);
  const { Object: objects, Quiet: quiet } = readXml(await readDocument(asked), 'Delete');
  if (!Array.isArray(objects) || objects.length === 0 || objects.length > MOST_KEYS) throw malformed();
  const answers: Xml[] = [];
  for (const one of objects as { Key?: unknown }[]) {
    const { Key: key } = one;
    if (typeof key !== 'string' || key === '') throw malformed();
    const name = objectKey(bucket, key);
    try {
      await turns.run(name, () => context.catalog.delete(name));
      if (quiet !== 'true') answers.push(element('Deleted', [element('Key', key)]));
    } catch (error) {
      context.log.error({ event: 'delete', bucket, err: error }, 'an object could not be deleted');
      const said = [element('Code', 'InternalError'), element('Message', 'the store failed on this object')];
      answers.push(element('Error', [element('Key', key), ...said]));
    }
  }
  sendXml(asked, s3Document('DeleteResult', answers));
}

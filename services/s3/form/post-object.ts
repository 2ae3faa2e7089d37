import type { Readable } from 'node:stream';
import { baseUrl } from '../../../shared/http/base-url.ts';
import type { Turns } from '../../../shared/mirror/turns.ts';
import type { Entry } from '../../../shared/model/entry.ts';
import { encodePath } from '../../../shared/storage/sigv4.ts';
import { checkKey } from '../address.ts';
import { type Asked, sendEmpty, sendXml } from '../asked.ts';
import { checksumIn, sentChecksum } from '../body/checksums.ts';
import { receive } from '../body/receive.ts';
import { checkBucket } from '../buckets.ts';
import { S3Error } from '../errors.ts';
import type { KeyRing, Signer } from '../key-ring.ts';
import { type Metadata, metadataOf, TAGS } from '../metadata.ts';
import { keepObject } from '../objects.ts';
import { readXml } from '../read-xml.ts';
import { checkedTagsIn } from '../tagging.ts';
import { element, s3Document } from '../xml.ts';
import { checkPolicy, parsePolicy } from './policy.ts';
import { type FormFields, readForm } from './read-form.ts';
import { badField, needed, verifyForm } from './verify-form.ts';

/** Fields of a form that are fields of a request elsewhere. */
const AS_HEADERS =
  /^(content-type|content-md5|cache-control|content-disposition|content-encoding|content-language|expires|x-amz-.+)$/;

/** What a field of HTTP is called, and what none can say: it would be another field when it is given back. */
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const NO_FIELD = /[\0-\x08\x0a-\x1f\x7f]/;

/** POST of a form to a bucket (RESTObjectPOST.html): a browser's upload, allowed by a policy that somebody signed. */
export async function postObject(
  asked: Asked,
  turns: Turns,
  ring: KeyRing,
  check: (signer: Signer | undefined) => void,
): Promise<void> {
  const { context, bucket } = asked;
  const base = baseUrl(asked.req, context.publicUrl);
  await readForm(asked.req, async (file, filename, fields) => {
    const accessKeyId = await verifyForm(fields, (id) => ring.secretOf(id));
    const key = keyIn(fields, filename);
    const signer = accessKeyId === undefined ? undefined : await ring.signerOf(accessKeyId);
    check(signer);
    // "All variables within the form are expanded prior to validating the POST policy" (HTTPPOSTForms.html)
    const expanded = new Map([...fields, ['key', key] as const]);
    const length = checkPolicy(parsePolicy(fields.get('policy')!), expanded, bucket, context.now());
    await checkBucket(asked);
    const form = {
      ...asked,
      key,
      identity: signer,
      payload: { kind: 'unsigned' } as const,
      req: requestOf(file, fields),
    };
    const entry = await keepFile(form, turns, fields, length);
    answer(form, fields, base, entry);
  });
}

/** The key that a form names; `${filename}` in it is that of the file. */
function keyIn(fields: FormFields, filename: string): string {
  const key = needed(fields, 'key').replace(/\$\{filename\}/g, () => filename);
  if (key === '') throw badField('key', '', 'User key must have a length greater than 0.');
  checkKey(key);
  return key;
}

/** The file as if it were the body of a PUT, whose fields are bytes. Throws `InvalidArgument` for what no field can say. */
function requestOf(file: Readable, fields: FormFields): Asked['req'] {
  const headers: Record<string, string> = { 'transfer-encoding': 'chunked' };
  for (const [name, value] of fields) {
    if (!AS_HEADERS.test(name)) continue;
    if (!FIELD_NAME.test(name) || NO_FIELD.test(value))
      throw badField(name, value, 'a field of a request cannot be called so, or say this');
    headers[name] = Buffer.from(value).toString('latin1');
  }
  return Object.assign(file, { headers, rawHeaders: Object.entries(headers).flat(), complete: true }) as never;
}

async function keepFile(
  asked: Asked,
  turns: Turns,
  fields: FormFields,
  { least, most }: { least: number; most: number },
): Promise<Entry> {
  const metadata = metadataOf(asked);
  const tagging = fields.get('tagging');
  if (tagging !== undefined) tag(metadata, tagging);
  const mostBytes = Math.min(most, asked.context.config.putBytes);
  const received = await receive(asked, { mostBytes, byDefault: 'CRC64NVME' });
  if (received.size < least)
    throw new S3Error(
      'bad-request',
      'EntityTooSmall',
      'Your proposed upload is smaller than the minimum allowed size',
      {
        extra: { ProposedSize: received.size, MinSizeAllowed: least },
      },
    );
  return keepObject(asked, turns, metadata, received);
}

function tag(metadata: Metadata, document: string): void {
  const tags = checkedTagsIn(readXml(Buffer.from(document), 'Tagging'));
  metadata.headers[TAGS] = JSON.stringify(tags);
}

function answer(asked: Asked, fields: FormFields, base: string, { etag = '', headers }: Entry): void {
  const { bucket, key } = asked;
  const location = `${base}/${bucket}/${encodePath(key)}`;
  const checksum = checksumIn(headers);
  const told = { etag, location, ...(checksum ? sentChecksum(checksum) : {}) };
  const to = redirectOf(fields.get('success_action_redirect') ?? fields.get('redirect'));
  if (to !== undefined) {
    for (const [name, value] of Object.entries({ bucket, key, etag })) to.searchParams.set(name, value);
    sendEmpty(asked, 303, { ...told, location: to.href });
    return;
  }
  const status = fields.get('success_action_status');
  if (status !== '201') {
    sendEmpty(asked, status === '200' ? 200 : 204, told);
    return;
  }
  const parts = [element('Location', location), element('Bucket', bucket), element('Key', key), element('ETag', etag)];
  sendXml(asked, s3Document('PostResponse', parts), 201, told);
}

/** "If the value … is not a valid URL", S3 answers as if there were none. */
function redirectOf(text: string | undefined): URL | undefined {
  const url = text === undefined ? null : URL.parse(text);
  return url && /^https?:$/.test(url.protocol) ? url : undefined;
}

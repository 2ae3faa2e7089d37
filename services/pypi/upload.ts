import { Readable } from 'node:stream';
import type { Request, RequestHandler } from 'express';
import { digestOf, type Measured, type Promised } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { normalizeName, parseFilename } from './project-name.ts';
import { fileKey, metadataKey, PRIVATE } from './refs.ts';
import { field, readUploadForm, type UploadFields } from './upload-form.ts';
import { metadataField, readWheelMetadata } from './wheel-metadata.ts';

/**
 * `POST /legacy/`: the upload that twine, uv, Poetry and PDM speak
 * (PyPI's documentation has it). The file streams into the store while its digests are worked out; a name is
 * given only after they held, and only once: a file that exists is a 409.
 */
export function uploadHandler(context: Context<unknown>): RequestHandler {
  return async (req, res) => {
    const { fields, filename, kept } = await readUploadForm(req, (file, name, before) =>
      receive(context, file, name, before),
    );
    const upload = checkForm(fields, filename);
    checkDigest(fields, kept);
    await publish(context, upload, kept, fields);
    context.log.info(
      { event: 'upload', file: upload.filename, digest: kept.digest, by: identityOf(req) },
      'file uploaded',
    );
    res.type('text/plain').send('OK\n');
  };
}

interface Upload {
  project: string;
  version: string;
  filename: string;
  kind: 'wheel' | 'sdist';
}

async function receive(
  context: Context<unknown>,
  file: Readable,
  filename: string,
  before: UploadFields,
): Promise<Measured> {
  const parsed = parseFilename(filename);
  if (!parsed)
    throw new MirrorError('bad-request', 'upload', `"${filename.slice(0, 200)}" is no name of a wheel or an sdist`);
  await refuseExisting(context, fileKey(PRIVATE, parsed.project, filename), filename);
  return context.blobs.ingest(file, { subject: 'file', promised: [promisedBy(before)] });
}

/** "content comes last": what clients promise stands before it. */
function promisedBy(fields: UploadFields): Promised {
  const others: Record<string, string> = {};
  const md5 = field(fields, 'md5_digest');
  if (md5) others.md5 = md5;
  return { sha256: field(fields, 'sha256_digest'), others };
}

function checkForm(fields: UploadFields, filename: string): Upload {
  const action = field(fields, ':action') ?? 'file_upload';
  if (action !== 'file_upload')
    throw new MirrorError('unsupported', 'upload', `the action "${action}" is not known; this index takes file_upload`);
  const protocol = field(fields, 'protocol_version') ?? '1';
  if (protocol !== '1')
    throw new MirrorError('unsupported', 'upload', `upload protocol ${protocol} is not known; this index takes 1`);
  const parsed = parseFilename(filename)!;
  const name = field(fields, 'name');
  if (name === undefined || normalizeName(name) !== parsed.project) {
    throw new MirrorError(
      'bad-request',
      'upload',
      `the file "${filename}" does not belong to the project "${name ?? ''}"`,
    );
  }
  const version = field(fields, 'version') ?? parsed.version;
  return { project: parsed.project, version, filename, kind: parsed.kind };
}

function checkDigest(fields: UploadFields, kept: Measured): void {
  const sha256 = field(fields, 'sha256_digest')?.toLowerCase();
  if (sha256 && `sha256:${sha256}` !== kept.digest) {
    throw new MirrorError('bad-request', 'upload', `sha256 ${sha256} was promised and ${kept.digest.slice(7)} arrived`);
  }
}

async function publish(context: Context<unknown>, upload: Upload, kept: Measured, fields: UploadFields): Promise<void> {
  const at = new Date(context.now()).toISOString();
  const metadata = upload.kind === 'wheel' ? await metadataOf(context, upload, kept) : undefined;
  const requiresPython = metadata
    ? metadataField(metadata.toString('utf8'), 'Requires-Python')
    : field(fields, 'requires_python');
  const file = {
    filename: upload.filename,
    url: '',
    hashes: { sha256: kept.digest.slice(7) },
    size: kept.size,
    'upload-time': at,
    ...(requiresPython ? { 'requires-python': requiresPython } : {}),
    yanked: false,
    'core-metadata': metadata ? { sha256: digestOf(metadata).slice(7) } : false,
  };
  if (metadata) await putMetadata(context, upload, metadata, at);
  const entry: Entry = {
    key: fileKey(PRIVATE, upload.project, upload.filename),
    digest: kept.digest,
    size: kept.size,
    mediaType: 'application/octet-stream',
    etag: `"${kept.digest.slice(7)}"`,
    lastModified: new Date(context.now()).toUTCString(),
    headers: { 'x-larder-file': JSON.stringify(file) },
    origin: 'upload',
    storedAt: at,
    checkedAt: at,
  };
  const first = await context.catalog.put(entry, { ifAbsent: true });
  if (!first) throw exists(upload.filename);
}

async function metadataOf(context: Context<unknown>, upload: Upload, kept: Measured): Promise<Buffer> {
  const bytes = await readWheelMetadata(upload.filename, kept.size, (range) =>
    context.blobs.open(kept.digest, range),
  ).catch((error) => {
    throw new MirrorError('bad-request', 'upload', error.message, { cause: error });
  });
  const name = metadataField(bytes.toString('utf8'), 'Name');
  if (name === undefined || normalizeName(name) !== upload.project) {
    throw new MirrorError('bad-request', 'upload', `METADATA in ${upload.filename} names the project "${name ?? ''}"`);
  }
  return bytes;
}

async function putMetadata(context: Context<unknown>, upload: Upload, bytes: Buffer, at: string): Promise<void> {
  const kept = await context.blobs.ingest(Readable.from([bytes]), { subject: 'metadata' });
  await context.catalog.put({
    key: metadataKey(PRIVATE, upload.project, upload.filename),
    ...kept,
    mediaType: 'text/plain; charset=utf-8',
    etag: `"${kept.digest.slice(7)}"`,
    headers: {},
    origin: 'upload',
    storedAt: at,
    checkedAt: at,
  });
}

async function refuseExisting(context: Context<unknown>, key: string, filename: string): Promise<void> {
  if (await context.catalog.get(key)) throw exists(filename);
}

/** twine's --skip-existing takes a 409, or words with "already exist". */
function exists(filename: string): MirrorError {
  return new MirrorError(
    'conflict',
    'file',
    `${filename} already exists here; a file is never replaced, give it a new version`,
  );
}

function identityOf(req: Request): string | undefined {
  return (req as Request & { identity?: { name?: string } }).identity?.name;
}

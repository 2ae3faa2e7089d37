import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { S3Error } from '../errors.ts';

/** Fields of a form by lower-case name. */
export type FormFields = ReadonlyMap<string, string>;

/** "The form data and boundaries (excluding the contents of the file) cannot exceed 20 KB" (HTTPPOSTForms.html); policies of tools are longer. */
const LIMITS = { fields: 200, fieldNameSize: 256, fieldSize: 64 * 1024, files: 200, parts: 210 };

/**
 * Reads a form as it arrives: its file goes to `keep` while it is still coming, with the fields that stood before it.
 * "The file or content must be the last field in the form. Any fields below it are ignored." (RESTObjectPOST.html).
 * Throws `MalformedPOSTRequest`, `PreconditionFailed` for what is no form, `InvalidArgument` for one without a file.
 */
export function readForm<T>(
  req: IncomingMessage,
  keep: (file: Readable, filename: string, fields: FormFields) => Promise<T>,
): Promise<T> {
  const fields = new Map<string, string>();
  const parser = parserOf(req);
  return new Promise((resolve, reject) => {
    let kept: Promise<T> | undefined;
    // Python's requests give each field a filename: only what is called "file" is the file
    const late: Promise<void>[] = [];
    const fail = (error: unknown) => {
      req.unpipe(parser);
      req.resume();
      reject(error);
    };
    // what is half here must not wait for the rest for ever: its file ends with the parser
    const broken = (cause?: unknown) => {
      parser.destroy(malformed(cause));
      fail(malformed(cause));
    };
    parser.on('field', (name: string | undefined, value, info) => {
      if (kept || name === undefined) return;
      if (info.valueTruncated || info.nameTruncated) fail(malformed());
      fields.set(name.toLowerCase(), value);
    });
    parser.on('file', (name: string | undefined, stream, info) => {
      // a form that breaks off fails its file, also while nobody reads that yet: unheard, it would end the process
      stream.on('error', () => undefined);
      // a part need not have a name
      if (kept || name === undefined) return void stream.resume();
      if (name.toLowerCase() !== 'file') {
        late.push(readField(stream).then((value) => void fields.set(name.toLowerCase(), value)));
        late.at(-1)!.catch(fail);
        return;
      }
      kept = Promise.all(late).then(() => keep(stream, info.filename ?? '', fields));
      kept.catch((error) => {
        stream.resume();
        fail(error);
      });
    });
    for (const limit of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) parser.on(limit, () => fail(malformed()));
    parser.on('error', broken);
    parser.on('close', () => {
      if (kept) kept.then(resolve, reject);
      else fail(noFile());
    });
    req.on('aborted', () => broken());
    req.pipe(parser);
  });
}

function parserOf(req: IncomingMessage): busboy.Busboy {
  if (!/^multipart\/form-data/i.test(req.headers['content-type'] ?? ''))
    throw new S3Error(
      'conflict',
      'PreconditionFailed',
      'At least one of the pre-conditions you specified did not hold.',
      { status: 412, extra: { Condition: 'Bucket POST must be of the enclosure-type multipart/form-data' } },
    );
  try {
    return busboy({ headers: req.headers, limits: LIMITS, preservePath: true, defParamCharset: 'utf8' });
  } catch (cause) {
    throw malformed(cause);
  }
}

/** A field that came as if it were a file. */
async function readField(part: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of part as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMITS.fieldSize) throw malformed();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function malformed(cause?: unknown): S3Error {
  return new S3Error(
    'bad-request',
    'MalformedPOSTRequest',
    'The body of your POST request is not well-formed multipart/form-data.',
    { cause },
  );
}

function noFile(): S3Error {
  return new S3Error('bad-request', 'InvalidArgument', 'POST requires exactly one file upload per request.', {
    extra: { ArgumentName: 'file', ArgumentValue: 0 },
  });
}

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { MirrorError } from '../../shared/model/errors.ts';

/** The fields of an upload; a field that comes more than once keeps all its values. */
export type UploadFields = Map<string, string[]>;

/** twine and uv send some dozens of fields; the long one is the description. */
const LIMITS = { fields: 2000, fieldNameSize: 256, fieldSize: 8 * 1024 * 1024, files: 1, parts: 2010 };

/**
 * Reads a multipart upload as it arrives: the file is handed to `keep` while it is still coming, with the fields that
 * stood before it (clients send the file last), and what `keep` gives back is returned with all fields.
 * Throws `bad-request` for anything that is not such a form.
 */
export function readUploadForm<T>(
  req: IncomingMessage,
  keep: (file: Readable, filename: string, before: UploadFields) => Promise<T>,
): Promise<{ fields: UploadFields; filename: string; kept: T }> {
  const fields: UploadFields = new Map();
  let parser: busboy.Busboy;
  try {
    parser = busboy({ headers: req.headers, limits: LIMITS, preservePath: true });
  } catch (error) {
    throw new MirrorError('bad-request', 'upload', 'an upload is a multipart/form-data request', { cause: error });
  }
  return new Promise((resolve, reject) => {
    let file: { filename: string; kept: Promise<T> } | undefined;
    const fail = (error: unknown) => {
      req.unpipe(parser);
      req.resume();
      reject(error);
    };
    parser.on('field', (name, value, info) => {
      if (info.valueTruncated || info.nameTruncated) {
        fail(new MirrorError('too-large', 'upload', `the field "${name.slice(0, 40)}" is too long`));
        return;
      }
      fields.set(name, [...(fields.get(name) ?? []), value]);
    });
    parser.on('file', (name, stream, info) => {
      // a form that breaks off fails its file, also while nobody reads that yet: unheard, it would end the process
      stream.on('error', () => undefined);
      if (name !== 'content') {
        stream.resume();
        return;
      }
      const kept = keep(stream, info.filename ?? '', fields);
      kept.catch((error) => {
        stream.resume();
        fail(error);
      });
      file = { filename: info.filename ?? '', kept };
    });
    for (const limit of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) {
      parser.on(limit, () =>
        fail(new MirrorError('too-large', 'upload', 'the upload has more parts than any client sends')),
      );
    }
    parser.on('error', (error) =>
      fail(new MirrorError('bad-request', 'upload', 'the upload form is damaged', { cause: error })),
    );
    parser.on('close', () => {
      if (!file)
        return fail(new MirrorError('bad-request', 'upload', 'the upload has no file in a field named "content"'));
      const { filename } = file;
      file.kept.then((kept) => resolve({ fields, filename, kept }), reject);
    });
    req.on('aborted', () => {
      const cutOff = new MirrorError('bad-request', 'upload', 'the upload was cut off');
      // what is half here must not wait for the rest for ever: its file ends with the parser
      parser.destroy(cutOff);
      fail(cutOff);
    });
    req.pipe(parser);
  });
}

/** The one value of a field. */
export function field(fields: UploadFields, name: string): string | undefined {
  return fields.get(name)?.[0];
}

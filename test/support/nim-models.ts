import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createBLAKE3 } from 'hash-wasm';
import { parseTarget } from '../../services/ngc/artifact.ts';
import { fileKey, filesKey } from '../../services/ngc/keys.ts';
import type { Entry } from '../../shared/model/entry.ts';
import type { Store } from '../../shared/storage/store.ts';

/** What `checksums.blake3` says of these files. */
export async function checksumsOf(files: Record<string, Buffer | string>): Promise<string> {
  const lines: string[] = [];
  for (const [path, bytes] of Object.entries(files)) {
    const hash = await createBLAKE3();
    lines.push(`${hash.init().update(bytes).digest('hex')}  ${path}\n`);
  }
  return lines.join('');
}

export interface NimModelOptions {
  /** Without a list of files, as where NGC gives none. */
  unlisted?: boolean;
  /** ETags by path; MD5 unless told. */
  etags?: Record<string, string | undefined>;
}

/** Puts a version into a store as if it had been mirrored. */
export async function holdModel(
  store: Store,
  id: string,
  files: Record<string, Buffer | string>,
  { unlisted, etags = {} }: NimModelOptions = {},
): Promise<void> {
  const of = parseTarget('models', id);
  const catalog = store.catalog('ngc');
  const now = new Date().toISOString();
  const keep = async (key: string, bytes: Buffer, facts: Pick<Entry, 'mediaType' | 'etag'>) => {
    const { digest, size } = await store.blobs.ingest(Readable.from([bytes], { objectMode: false }), {
      subject: 'file',
    });
    await catalog.put({
      key,
      digest,
      size,
      headers: {},
      origin: 'http://ngc/',
      storedAt: now,
      checkedAt: now,
      ...facts,
    });
  };
  const modelFiles = Object.entries(files).map(([path, text]) => {
    const bytes = Buffer.from(text);
    const sha256_base64 = createHash('sha256').update(bytes).digest('base64');
    return { path, sizeInBytes: bytes.length, sha256_base64 };
  });
  if (!unlisted)
    await keep(filesKey(of), Buffer.from(JSON.stringify({ modelFiles })), { mediaType: 'application/json' });
  for (const [path, text] of Object.entries(files)) {
    const bytes = Buffer.from(text);
    const etag = path in etags ? etags[path] : `"${createHash('md5').update(bytes).digest('hex')}"`;
    await keep(fileKey(of, path), bytes, { mediaType: 'application/octet-stream', etag });
  }
}

import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Digest } from '../../../shared/model/digest.ts';
import type { BlobStore } from '../../../shared/storage/blob-store.ts';

/** Characters of a README that are shown, and bytes of an unpacked tarball that are looked through for it. */
const MOST_README = 1 << 20;
const MOST_UNPACKED = 64 << 20;
/** READMEs that are remembered. */
const MOST = 50;
/** `package/README.md`: the first folder may have any name. */
const README = /^(?:\.\/)?[^/]+\/readme(?:\.(?:md|markdown|txt))?$/i;

/** What packages say of themselves, out of their tarballs: registries that keep no README with the document leave it there. */
export class Readmes {
  readonly #blobs: Pick<BlobStore, 'open'>;
  readonly #known = new Map<Digest, string>();

  constructor(blobs: Pick<BlobStore, 'open'>) {
    this.#blobs = blobs;
  }

  /** Empty when there is none, or the tarball cannot be read. */
  async read(digest: Digest): Promise<string> {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    const found = await readmeIn(await this.#blobs.open(digest)).catch(() => '');
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(digest, found);
    return found;
  }
}

async function readmeIn(tarball: Readable): Promise<string> {
  const gunzip = createGunzip();
  const files = extract();
  tarball.on('error', (error) => gunzip.destroy(error));
  gunzip.on('error', (error) => files.destroy(error));
  tarball.pipe(gunzip).pipe(files);
  try {
    let seen = 0;
    for await (const file of files) {
      seen += file.header.size ?? 0;
      if (seen > MOST_UNPACKED) break;
      if (file.header.type === 'file' && README.test(file.header.name)) return await textOf(file);
      file.resume();
    }
    return '';
  } finally {
    tarball.destroy();
    gunzip.destroy();
    files.destroy();
  }
}

async function textOf(file: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of file as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= MOST_README) break;
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, MOST_README);
}

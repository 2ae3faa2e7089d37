import { chmod, lstat, mkdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { hexOf } from '../../../shared/model/digest.ts';
import { temporaryName } from '../../../shared/storage/owned-files.ts';
import { syncFolder } from '../../../shared/storage/small-file.ts';
import { type Artifact, type ArtifactVersion, idOf } from '../artifact.ts';
import type { HeldFile } from './held-version.ts';

/** An ETag that can be the name of a file: what NGC's storage gives is an MD5, with the number of parts where there were some. */
const PLAIN_ETAG = /^(?:W\/)?"([A-Za-z0-9][A-Za-z0-9._-]{0,127})"$/;

/** Where a NIM keeps what it has of NGC, in the folder of `NIM_CACHE_PATH`. */
export const hubOf = (root: string) => join(root, 'ngc', 'hub');

/** `models--nim--meta--llama-3.1-8b-instruct` */
export const modelFolder = (artifact: Artifact) => `models--${idOf(artifact).replaceAll('/', '--')}`;

/** What a NIM calls the blob of a file: its ETag; where none is known, its sha256. */
export function blobName({ etag, digest }: Pick<HeldFile, 'etag' | 'digest'>): string {
  return PLAIN_ETAG.exec(etag ?? '')?.[1] ?? hexOf(digest);
}

/**
 * The folder of `NIM_CACHE_PATH` as a NIM fills it itself (reference ngc.md §3), laid out as the Hugging Face cache is:
 *
 *   ngc/hub/models--<org>--<team>--<name>/blobs/<etag>
 *                                        /snapshots/<version>/<path> -> ../../blobs/<etag>
 *                                        /refs/<version>     holds the snapshot's name
 *   ngc/hub/tmp                          what is not finished
 */
export class CacheTree {
  readonly root: string;
  readonly #modes: { file: number; folder: number };

  /** @param writable for everybody: a NIM runs as a user of its own, and writes beside what it finds */
  constructor(root: string, options: { writable?: boolean } = {}) {
    this.root = root;
    this.#modes = options.writable ? { file: 0o666, folder: 0o777 } : { file: 0o644, folder: 0o755 };
  }

  get fileMode(): number {
    return this.#modes.file;
  }

  blobPath(artifact: Artifact, name: string): string {
    return join(hubOf(this.root), modelFolder(artifact), 'blobs', name);
  }

  /** A file for what is under way, on the same file system as all else. */
  temporary(): string {
    return join(hubOf(this.root), 'tmp', temporaryName('.larder'));
  }

  async prepare(artifacts: readonly Artifact[]): Promise<void> {
    await mkdir(this.root, { recursive: true });
    for (const folder of ['ngc', 'ngc/hub', 'ngc/hub/tmp']) await this.#folder(join(this.root, folder));
    for (const artifact of artifacts) {
      const model = join(hubOf(this.root), modelFolder(artifact));
      for (const folder of ['', 'blobs', 'refs', 'snapshots']) await this.#folder(join(model, folder));
    }
  }

  /** Takes a finished file over. */
  async giveBlob(temporary: string, path: string): Promise<void> {
    await chmod(temporary, this.#modes.file);
    await rename(temporary, path);
  }

  /** Names what lies in `blobs`: all of a snapshot at once where it is new, and its ref last, by which a NIM finds it. */
  async giveSnapshot(of: ArtifactVersion, blobs: ReadonlyMap<string, string>): Promise<void> {
    const model = join(hubOf(this.root), modelFolder(of.artifact));
    const place = join(model, 'snapshots', of.version);
    await syncFolder(join(model, 'blobs'));
    const isNew = (await lstat(place).catch(() => undefined)) === undefined;
    const made = isNew ? join(model, 'snapshots', temporaryName('.larder')) : place;
    await this.#folder(made);
    for (const [path, name] of blobs) {
      await this.#folders(made, dirname(path));
      await link(relative(dirname(join(place, path)), join(model, 'blobs', name)), join(made, path));
    }
    if (isNew) await rename(made, place);
    await this.#writeRef(join(model, 'refs', of.version), of.version);
    for (const folder of ['snapshots', 'refs']) await syncFolder(join(model, folder));
  }

  async #writeRef(path: string, version: string): Promise<void> {
    const temporary = this.temporary();
    // read as it stands: no newline
    await writeFile(temporary, version, { flush: true });
    await this.giveBlob(temporary, path);
  }

  async #folders(base: string, path: string): Promise<void> {
    let folder = base;
    for (const segment of path === '.' ? [] : path.split('/')) {
      folder = join(folder, segment);
      await this.#folder(folder);
    }
  }

  /** Those that are there keep their permissions: they may belong to somebody else. */
  async #folder(path: string): Promise<void> {
    const made = await mkdir(path).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false;
        throw error;
      },
    );
    if (made) await chmod(path, this.#modes.folder);
  }
}

async function link(target: string, path: string): Promise<void> {
  if ((await readlink(path).catch(() => undefined)) === target) return;
  await rm(path, { force: true });
  await symlink(target, path);
}

import { syncFolder } from './small-file.ts';

/**
 * Brings names in folders to the disk. Many who write into one folder at once share a sync: one that began after a name
 * was given covers it.
 */
export class FolderSyncs {
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  /** Resolves when all names that the folder has now are on the disk. */
  sync(folder: string): Promise<void> {
    const running = this.#running.get(folder);
    if (!running) return this.#start(folder);
    // the one under way may have read the folder before our name was there
    const next = this.#next.get(folder) ?? running.catch(() => undefined).then(() => this.#start(folder));
    this.#next.set(folder, next);
    return next;
  }

  #start(folder: string): Promise<void> {
    this.#next.delete(folder);
    const started = syncFolder(folder).finally(() => {
      if (this.#running.get(folder) === started) this.#running.delete(folder);
    });
    this.#running.set(folder, started);
    return started;
  }
}

import type { Entry } from '../model/entry.ts';
import { fromSystemError, MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { Fresh, Upstream } from '../upstream/upstream.ts';
import type { MirrorEvents } from './events.ts';
import { Fill } from './fill.ts';
import type { Names } from './names.ts';

/** A download and what will become of it. */
export interface Download {
  fill: Fill;
  /** Resolves when bytes and name are in the store. */
  kept: Promise<Entry>;
}

interface DownloadsOptions {
  upstream: Upstream;
  blobs: BlobStore;
  names: Names;
  events: MirrorEvents;
  now(): number;
  /** Ends all of them. */
  signal: AbortSignal;
  mostFills: number;
  resumePause: number;
}

/**
 * The downloads that are under way. A question ends when headers arrive, so this map, and not the question, is what
 * keeps a name from being downloaded twice: a download stands in it until its name is in the catalog.
 */
export class Downloads {
  readonly #running = new Map<string, Download>();
  readonly #options: DownloadsOptions;

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  running(ref: Ref): Download | undefined {
    return this.#running.get(idOf(ref));
  }

  /** Throws `unavailable` when too many are under way, `out-of-space` when this one cannot fit. */
  async start(ref: Ref, arrival: Fresh): Promise<Download> {
    const { upstream, blobs, signal, mostFills, resumePause, events } = this.#options;
    if (this.#running.size >= mostFills) {
      arrival.body.on('error', () => undefined).destroy();
      throw new MirrorError('unavailable', ref.subject, `${mostFills} downloads are under way already`, {
        retryAfter: 10,
      });
    }
    const resumed = (at: number, reason: string) => events.fillResumed(ref, at, reason);
    const fill = await Fill.start(ref, arrival, {
      upstream,
      spoolDir: blobs.spoolDir,
      signal,
      pause: resumePause,
      resumed,
    });
    const download = { fill, kept: this.#keep(ref, fill) };
    this.#running.set(idOf(ref), download);
    return download;
  }

  /** Sees a download to its end: bytes into the store, then the name, then it leaves the map, then the spool goes. */
  async #keep(ref: Ref, fill: Fill): Promise<Entry> {
    const { blobs, names, events, now } = this.#options;
    const started = now();
    events.fillStarted(ref, fill.facts.size);
    try {
      const measured = await fill.measured;
      await blobs.putFile(measured.digest, measured.size, fill.spoolPath);
      const entry = await names.give(ref, fill.facts, measured);
      this.#running.delete(idOf(ref));
      await fill.finish();
      events.fillKept(ref, measured.size, (now() - started) / 1000);
      return entry;
    } catch (error) {
      const failed = fromSystemError(error, ref.subject);
      this.#running.delete(idOf(ref));
      await fill.fail(failed);
      events.fillFailed(ref, failed);
      throw failed;
    }
  }
}

/** Two promises of bytes under one name are two downloads. */
export function idOf(ref: Ref): string {
  return `${ref.key}\n${ref.promised?.sha256 ?? ''}`;
}

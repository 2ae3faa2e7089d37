import type { Readable } from 'node:stream';
import type { ByteRange } from '../model/byte-range.ts';
import { contradicts } from '../model/digest.ts';
import { type Entry, type Facts, factsOf } from '../model/entry.ts';
import { fromSystemError, isKind, MirrorError } from '../model/errors.ts';
import { type Age, ageOf } from '../model/freshness.ts';
import type { Ref } from '../model/ref.ts';
import type { Arrival } from '../upstream/upstream.ts';
import { DocumentCache } from './document-cache.ts';
import { type Download, Downloads, idOf } from './downloads.ts';
import { MirrorEvents } from './events.ts';
import type { MirrorOptions } from './mirror-options.ts';
import { Names } from './names.ts';
import { Refusals } from './refusals.ts';
import { type Document, heldResource, type Resource, type Served } from './resource.ts';
import { SingleFlight } from './single-flight.ts';

/** What became of a question: something held, or a download. */
type Found = { entry: Entry; served: Served; fill?: undefined } | (Download & { served: Served; entry?: undefined });

/** Bytes of documents that are read whole: project pages, manifests. */
const MOST_DOCUMENT = 64 << 20;

/**
 * A protocol's names in front of `Catalog + BlobStore + Upstream`: what is held and fresh is given, what is stale is
 * given while the origin is asked behind it, what is not held is fetched once for all who ask. (RFC 5861 for the two
 * meanings of stale.)
 */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #events: MirrorEvents;
  readonly #asking = new SingleFlight<Found>();
  readonly #describing = new SingleFlight<Facts>();
  readonly #names: Names;
  readonly #downloads: Downloads;
  readonly #refusals: Refusals;
  readonly #documents = new DocumentCache();
  readonly #background = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#events = new MirrorEvents(options.service, options.telemetry);
    this.#refusals = new Refusals(options, this.#events);
    this.#names = new Names(options.catalog, options.now);
    this.#downloads = new Downloads({
      ...options,
      mostFills: options.mostFills ?? 256,
      resumePause: options.resumePause ?? 200,
      signal: this.#closing.signal,
      names: this.#names,
      events: this.#events,
    });
  }

  /** The entry of a name, unless it breaks what the name promises. Never asks the origin. */
  async held(ref: Ref): Promise<Entry | undefined> {
    const entry = await this.#options.catalog.get(ref.key);
    return entry && !contradicts(ref.promised, entry.digest, entry.size) ? entry : undefined;
  }

  /** Facts alone; no body is downloaded. */
  async describe(ref: Ref): Promise<{ facts: Facts; served: Served }> {
    const running = this.#downloads.running(ref);
    if (running) return this.#events.told(running.fill.facts, 'shared');
    const held = await this.#atHand(ref);
    if (held) return this.#events.told(factsOf(held.entry), held.served);
    const { answer, shared } = await this.#describing.run(idOf(ref), () => this.#askFacts(ref));
    return this.#events.told(answer, shared ? 'shared' : 'miss');
  }

  /** Something to send: headers at once, bytes as they are there. */
  async open(ref: Ref): Promise<Resource> {
    const found = await this.#find(ref);
    this.#events.served(found.served);
    if (found.entry) return heldResource(found.entry, found.served, this.#options.blobs);
    return this.#fillResource(ref, found, found.served);
  }

  /** A small thing whole. Throws `too-large` beyond `maxBytes`. */
  async read(ref: Ref, options: { maxBytes?: number } = {}): Promise<Document> {
    const atOnce = await this.#inMemory(ref);
    if (atOnce) return atOnce;
    const { entry, served } = await this.hold(ref);
    const bytes = await this.#documents.read(entry.digest, () =>
      this.#options.blobs.read(entry.digest, options.maxBytes ?? MOST_DOCUMENT),
    );
    return { entry, bytes, served };
  }

  /** Waits until it is held, fetching it where needed; a download that fails leaves what was held before. */
  async hold(ref: Ref): Promise<{ entry: Entry; served: Served }> {
    const found = await this.#find(ref);
    this.#events.served(found.served);
    const entry = found.entry ?? (await found.kept.catch((error) => this.#insteadOf(ref, error)));
    return { entry, served: found.served };
  }

  /** Counts what was held and given without coming by here. */
  given(): void {
    this.#events.served('hit');
  }

  /** Some bytes of it, without starting a download of the rest. */
  async peek(ref: Ref, range: ByteRange): Promise<Readable> {
    const held = await this.held(ref);
    if (held) return this.#options.blobs.open(held.digest, range);
    const running = this.#downloads.running(ref);
    if (running && running.fill.arrived > range.end) return running.fill.open(range);
    return (await this.#part(running?.fill.ref ?? ref, range)) ?? (await this.open(ref)).open(range);
  }

  /** Waits for downloads and questions in the background. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.allSettled(this.#background);
    await this.#asking.settled();
  }

  /** Ends downloads and background work; what was not finished is not kept. */
  async close(): Promise<void> {
    this.#closing.abort(new MirrorError('unavailable', 'mirror', 'the mirror is shutting down; ask again'));
    await this.settled();
    await this.#options.upstream.close?.();
  }

  /** A document that is held, fresh, and in memory: the disk need not be asked. */
  async #inMemory(ref: Ref): Promise<Document | undefined> {
    const entry = await this.held(ref);
    const bytes = entry && this.#ageOf(ref, entry) === 'fresh' && this.#documents.get(entry.digest);
    if (bytes) this.#events.served('hit');
    return bytes ? { entry, bytes, served: 'hit' } : undefined;
  }

  async #find(ref: Ref): Promise<Found> {
    const running = this.#downloads.running(ref);
    if (running) return { ...running, served: 'shared' };
    const atHand = await this.#atHand(ref);
    if (atHand) return atHand;
    const { answer, shared } = await this.#asking.run(idOf(ref), () => this.#ask(ref));
    return shared && answer.fill ? { ...answer, served: 'shared' } : answer;
  }

  /** The same, and its bytes are there: what was moved away is fetched again. */
  async #heldWhole(ref: Ref): Promise<Entry | undefined> {
    const entry = await this.held(ref);
    if (!entry || entry.parts) return entry;
    return (await this.#options.blobs.isHeld(entry.digest)) ? entry : undefined;
  }

  #ageOf(ref: Ref, entry: Entry): Age {
    return ref.source === '' ? 'fresh' : ageOf(ref.freshness, entry.checkedAt, this.#options.now());
  }

  /** What can be given without waiting for the origin. */
  async #atHand(ref: Ref): Promise<{ entry: Entry; served: Served } | undefined> {
    const entry = await this.#heldWhole(ref);
    if (entry) {
      const age = this.#ageOf(ref, entry);
      if (age === 'fresh') return { entry, served: 'hit' };
      if (age === 'expired') return undefined;
      this.#behind(this.#asking.run(idOf(ref), () => this.#ask(ref)));
      return { entry, served: 'stale' };
    }
    const adopted = await this.#names.adopt(ref, this.#options.blobs);
    return adopted && { entry: adopted, served: 'adopted' };
  }

  async #askFacts(ref: Ref): Promise<Facts> {
    this.#refusals.check(ref);
    const held = await this.held(ref);
    try {
      const facts = await this.#options.upstream.describe(ref, { signal: this.#closing.signal });
      if (facts) return { ...facts, size: facts.size ?? ref.promised?.size };
    } catch (error) {
      return factsOf(await this.#insteadOf(ref, error, held));
    }
    throw this.#refusals.absent(ref);
  }

  /** Asks the origin, and makes of its answer what it means for what we hold. */
  async #ask(ref: Ref): Promise<Found> {
    // another question may have been answered while whoever asks this one was still looking into the catalog
    const running = this.#downloads.running(ref);
    if (running) return { ...running, served: 'shared' };
    this.#refusals.check(ref);
    const held = await this.#heldWhole(ref);
    if (held && this.#ageOf(ref, held) === 'fresh') return { entry: held, served: 'hit' };
    let arrival: Arrival;
    try {
      const validators = held && { etag: held.etag, lastModified: held.lastModified };
      arrival = await this.#options.upstream.fetch(ref, { validators, signal: this.#closing.signal });
    } catch (error) {
      return { entry: await this.#insteadOf(ref, error, held), served: 'stale' };
    }
    if (arrival.outcome === 'absent') throw this.#refusals.absent(ref);
    if (arrival.outcome === 'unchanged') {
      if (!held) throw this.#refusals.unasked(ref);
      return { entry: await this.#names.confirm(held), served: 'revalidated' };
    }
    const download = await this.#downloads.start(ref, arrival);
    this.#behind(download.kept);
    return { ...download, served: 'miss' };
  }

  /** The origin gave no answer: what is held stands in for it, whatever its age; else the error stands. */
  async #insteadOf(ref: Ref, error: unknown, known?: Entry): Promise<Entry> {
    const held = known ?? (await this.held(ref));
    if (isKind(error, 'not-held')) {
      if (held) return held;
      throw await this.#refusals.want(ref, error);
    }
    const failed = fromSystemError(error, ref.subject);
    this.#events.upstreamFailed(ref, failed, held !== undefined);
    if (held && failed.kind !== 'upstream-denied') return held;
    throw failed;
  }

  #fillResource(ref: Ref, { fill }: Download, served: Served): Resource {
    const open = async (range?: ByteRange): Promise<Readable> => {
      // after the download is over its spool is gone, and its bytes are under their name
      const entry = this.#downloads.running(ref) ? undefined : await this.held(ref);
      if (entry) return this.#options.blobs.open(entry.digest, range);
      // of the origin that it comes from: another one may be said to have it, and have it not
      const part = range && fill.isFarBehind(range.start) ? await this.#part(fill.ref, range) : undefined;
      return part ?? fill.open(range);
    };
    return { facts: fill.facts, served, open };
  }

  /** A part straight from the origin, kept nowhere; undefined when the origin gives no parts. */
  async #part(ref: Ref, range: ByteRange): Promise<Readable | undefined> {
    this.#refusals.check(ref);
    const arrival = await this.#options.upstream
      .fetch(ref, { range, signal: this.#closing.signal })
      .catch(async (error) => {
        throw isKind(error, 'not-held') ? await this.#refusals.want(ref, error) : error;
      });
    if (arrival.outcome === 'absent') throw this.#refusals.absent(ref);
    if (arrival.outcome === 'unchanged') return undefined;
    if (arrival.range?.start === range.start && arrival.range.end === range.end) return arrival.body;
    arrival.body.on('error', () => undefined).destroy();
    return undefined;
  }

  #behind(work: Promise<unknown>): void {
    const owned = work.catch(() => undefined).finally(() => this.#background.delete(owned));
    this.#background.add(owned);
  }
}

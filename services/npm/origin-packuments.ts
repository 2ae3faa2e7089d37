import { Parsed } from '../../shared/mirror/parsed.ts';
import { SingleFlight } from '../../shared/mirror/single-flight.ts';
import type { Digest } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Freshness } from '../../shared/model/freshness.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NpmConfig } from './config.ts';
import type { Origin } from './origins.ts';
import { type PackumentText, readPackument } from './packument-text.ts';
import { packumentRef } from './refs.ts';

/** The largest packument that is read: the largest of the public registry are some tens of megabytes. */
const MOST_PACKUMENT = 256 << 20;
/** Bytes of packuments that are kept as they were understood. */
const MOST_KEPT = 96 << 20;

/** A packument of an origin, and the name under which it is held. */
export interface Known {
  text: PackumentText;
  entry: Entry;
}

/** Packuments of origins as they were understood: read when they change, and not when they are asked for. */
export class OriginPackuments {
  readonly #context: Context<NpmConfig>;
  readonly #parsed = new Parsed<PackumentText>(MOST_KEPT);
  readonly #reading = new SingleFlight<PackumentText>();

  constructor(context: Context<NpmConfig>) {
    this.#context = context;
  }

  /**
   * As the origin has it. Undefined when it does not know the package; throws what kept it from answering.
   * @param freshness how old it may be, where that is not what the settings say
   */
  async ask(origin: Origin, name: string, freshness?: Freshness): Promise<Known | undefined> {
    const ref = packumentRef(origin, name, this.#context.config);
    try {
      const { entry } = await this.#context.mirror.hold({ ...ref, freshness: freshness ?? ref.freshness });
      return await this.#known(origin, name, entry);
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined;
      throw error;
    }
  }

  /** As it is held; nobody is asked. */
  async held(origin: Origin, name: string): Promise<Known | undefined> {
    const entry = await this.#context.mirror.held(packumentRef(origin, name, this.#context.config));
    return entry && this.#known(origin, name, entry);
  }

  async #known(origin: Origin, name: string, entry: Entry): Promise<Known> {
    const { digest, size } = entry;
    if (size > MOST_PACKUMENT)
      throw new MirrorError(
        'too-large',
        'package',
        `the packument of "${name}" has ${size} bytes, and the mirror reads ${MOST_PACKUMENT} at most`,
      );
    const text = await this.#parsed.get(digest, size, async () => {
      const { answer } = await this.#reading.run(`${digest} ${name}`, () => this.#read(origin, name, digest));
      return answer;
    });
    for (const host of text.hosts) origin.learnedHosts.add(host);
    return { text, entry };
  }

  async #read(origin: Origin, name: string, digest: Digest): Promise<PackumentText> {
    const text = await readPackument(await this.#context.blobs.read(digest, MOST_PACKUMENT), name);
    const { dropped } = text;
    if (dropped.length > 0)
      this.#context.log.debug(
        {
          event: 'version-dropped',
          origin: origin.name,
          package: name,
          count: dropped.length,
          versions: dropped.slice(0, 5),
        },
        'versions in the packument of an origin cannot be offered: they have no tarball, or are none',
      );
    return text;
  }
}

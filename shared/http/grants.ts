import { createHmac, createSecretKey, type Hmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { MirrorError } from '../model/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { GRANT_KEY } from '../storage/paths.ts';

/** Secrets that are remembered. */
const MOST_SECRETS = 1000;

/**
 * Leave to do one thing for a while, written into an address: for steps of a protocol in which clients send no token
 * (the upload of a large file, as presigned addresses of object stores have it). Replicas share the key through the
 * store; it is in no catalog, so no bundle carries it.
 */
export class Grants {
  readonly #objects: ObjectStore;
  readonly #now: () => number;
  /** As a key object: from a buffer each HMAC takes six times as long. */
  #key: Promise<KeyObject> | undefined;
  readonly #secrets = new Map<string, string>();

  constructor(objects: ObjectStore, options: { now(): number }) {
    this.#objects = objects;
    this.#now = options.now;
  }

  /** @param what is allowed, in the caller's own words; @returns what goes into the address */
  async give(what: string, seconds: number): Promise<string> {
    const until = Math.floor(this.#now() / 1000) + seconds;
    return `${until}.${await this.#sign(what, until)}`;
  }

  /** Throws `forbidden` when it is not for this, or over. */
  async check(what: string, grant: string): Promise<void> {
    const [, until, signature] = /^(\d{1,12})\.([0-9a-f]{64})$/.exec(grant) ?? [];
    const right = until !== undefined && same(signature!, await this.#sign(what, Number(until)));
    if (right && Number(until) * 1000 > this.#now()) return;
    const why = right ? 'the address is no longer good' : 'the address was not given out for this';
    throw new MirrorError('forbidden', 'upload', `${why}; ask for a new one`);
  }

  /** A secret of this store for a name: the same whenever it is asked for, and written nowhere. 40 characters. */
  async secretFor(name: string): Promise<string> {
    const known = this.#secrets.get(name);
    if (known !== undefined) return known;
    const secret = (await this.#mac(`secret\n${name}`)).digest('base64url').slice(0, 40);
    if (this.#secrets.size >= MOST_SECRETS) this.#secrets.clear();
    this.#secrets.set(name, secret);
    return secret;
  }

  async #sign(what: string, until: number): Promise<string> {
    return (await this.#mac(`${until}\n${what}`)).digest('hex');
  }

  async #mac(text: string): Promise<Hmac> {
    this.#key ??= this.#readKey();
    this.#key.catch(() => {
      this.#key = undefined;
    });
    return createHmac('sha256', await this.#key).update(text);
  }

  async #readKey(): Promise<KeyObject> {
    const key = randomBytes(32);
    const outcome = await this.#objects.put(GRANT_KEY, key, { ifAbsent: true });
    if (outcome.stored) return createSecretKey(key);
    const found = await this.#objects.get(GRANT_KEY);
    if (!found) throw new MirrorError('unavailable', 'upload', 'the key of grants cannot be read; try again');
    return createSecretKey(Buffer.concat(await found.body.toArray()));
  }
}

function same(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

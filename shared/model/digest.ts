import { createHash } from 'node:crypto';
import { MirrorError } from './errors.ts';
import { type HashWish, type RunningHash, startHash } from './running-hash.ts';

/** `sha256:<64 lower-case hex>`: the name of a blob. */
export type Digest = string & { readonly __brand: 'Digest' };

const PATTERN = /^sha256:[0-9a-f]{64}$/;

/** Reads a digest; undefined when `text` is not one. */
export function parseDigest(text: string): Digest | undefined {
  return PATTERN.test(text) ? (text as Digest) : undefined;
}

/** The digest with these 64 hex digits. Throws `bad-request` for anything else. */
export function digestOfHex(hex: string): Digest {
  const digest = parseDigest(`sha256:${hex.toLowerCase()}`);
  if (!digest) throw new MirrorError('bad-request', 'digest', `"${hex.slice(0, 80)}" is not 64 hex digits`);
  return digest;
}

/** The 64 hex digits of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** The digest of bytes at hand. */
export function digestOf(bytes: Buffer | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** What a name or an origin promises of the bytes. Hex is lower case. */
export interface Promised {
  /** Bytes. */
  size?: number;
  sha256?: string;
  sha512?: string;
  /** git's blob id: sha1 over `blob <size>\0` and the bytes; checked only where `size` is promised too. */
  gitBlob?: string;
  /**
   * Further hashes by the name that `startHash` knows them by: older ones of some package indexes (md5, sha1, sha224,
   * sha384, blake2b512), and blake3.
   */
  others?: Record<string, string>;
}

/** True when something in `promised` can be checked against bytes that have `digest` and `size`, and is broken. */
export function contradicts(promised: Promised | undefined, digest: Digest, size: number): boolean {
  if (!promised) return false;
  if (promised.size !== undefined && promised.size !== size) return true;
  return promised.sha256 !== undefined && promised.sha256 !== hexOf(digest);
}

/** What bytes turned out to be. */
export interface Measured {
  digest: Digest;
  size: number;
}

/** Hashes that bytes must be put through to know whether they keep these promises; sha256 is always one. */
export function hashesFor(promised: readonly Promised[]): HashWish[] {
  const wishes = new Map<string, HashWish>();
  const add = (wish: HashWish) => wishes.set(wish.name, wish);
  add({ name: 'sha256', algorithm: 'sha256' });
  for (const { size, sha512, gitBlob, others } of promised) {
    if (sha512) add({ name: 'sha512', algorithm: 'sha512' });
    if (gitBlob && size !== undefined) add({ name: 'gitBlob', algorithm: 'sha1', prefix: `blob ${size}\0` });
    for (const name of Object.keys(others ?? {})) add({ name, algorithm: name });
  }
  return [...wishes.values()];
}

/**
 * What bytes are, by their hashes. Throws `corrupt`, naming the promise that was broken, in terms of `subject` ("file",
 * "layer").
 * @param found hex, by the names of `hashesFor`
 */
export function judged(
  found: ReadonlyMap<string, string>,
  size: number,
  promised: readonly Promised[],
  subject: string,
): Measured {
  for (const one of promised) {
    if (one.size !== undefined && one.size !== size)
      throw new MirrorError('corrupt', subject, `${one.size} bytes were promised and ${size} arrived`);
    const hashes = { sha256: one.sha256, sha512: one.sha512, gitBlob: one.gitBlob, ...one.others };
    for (const [name, expected] of Object.entries(hashes)) {
      const actual = found.get(name);
      if (expected !== undefined && actual !== undefined && actual !== expected.toLowerCase())
        throw new MirrorError('corrupt', subject, `${name} ${expected} was promised and ${actual} arrived`);
    }
  }
  return { digest: digestOfHex(found.get('sha256')!), size };
}

/**
 * Measures bytes as they pass, and says at the end whether every promise was kept.
 * One per stream; `update` in order, then `finish` once.
 */
export class PromiseCheck {
  #size = 0;
  readonly #promised: readonly Promised[];
  readonly #hashes: readonly [name: string, hash: RunningHash][];

  private constructor(promised: readonly Promised[], hashes: readonly [name: string, hash: RunningHash][]) {
    this.#promised = promised;
    this.#hashes = hashes;
  }

  /** Some hashes take a moment before they can begin. */
  static async start(...promised: (Promised | undefined)[]): Promise<PromiseCheck> {
    const made = promised.filter((one) => one !== undefined);
    const hashes: [string, RunningHash][] = [];
    for (const wish of hashesFor(made)) hashes.push([wish.name, await startHash(wish)]);
    return new PromiseCheck(made, hashes);
  }

  /** Bytes seen so far. */
  get size(): number {
    return this.#size;
  }

  update(chunk: Buffer): void {
    this.#size += chunk.length;
    for (const [, hash] of this.#hashes) hash.update(chunk);
  }

  /** Throws `corrupt`, naming the promise that was broken, in terms of `subject` ("file", "layer"). */
  finish(subject: string): Measured {
    return this.#measured(this.#promised, subject);
  }

  /** The same against a promise that is made only now; it can name no hash that was not asked for at the start. */
  measured(promised: Promised, subject: string): Measured {
    return this.#measured([promised], subject);
  }

  #measured(promised: readonly Promised[], subject: string): Measured {
    const found = new Map(this.#hashes.map(([name, hash]) => [name, hash.digest().toString('hex')]));
    return judged(found, this.#size, promised, subject);
  }
}

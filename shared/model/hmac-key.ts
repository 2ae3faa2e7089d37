import { hash } from 'node:crypto';

/** Bytes of a block of sha256. */
const BLOCK = 64;
const DIGEST = 32;
/** Texts of more bytes get a buffer of their own. */
const USUAL = 4096;

/**
 * A key of HMAC-SHA256 that signs many short texts (RFC 2104): both blocks that the key makes are there already, and what
 * is left are two hashes in one call each. `createHmac` sets up a state for each text, which takes longer than the hashes.
 */
export class HmacKey {
  readonly #inner = Buffer.alloc(BLOCK + USUAL, 0);
  readonly #outer = Buffer.alloc(BLOCK + DIGEST, 0);

  /** @param key at most 64 bytes: RFC 2104 has longer ones hashed first */
  constructor(key: Buffer) {
    if (key.length > BLOCK) throw new RangeError('a key has at most 64 bytes');
    for (let index = 0; index < BLOCK; index += 1) {
      this.#inner[index] = 0x36 ^ (key[index] ?? 0);
      this.#outer[index] = 0x5c ^ (key[index] ?? 0);
    }
  }

  /** Hex. */
  sign(text: string): string {
    this.#outer.write(hash('sha256', this.#blockAnd(text), 'hex'), BLOCK, 'hex');
    return hash('sha256', this.#outer, 'hex');
  }

  #blockAnd(text: string): Buffer {
    // a character is three bytes at most
    if (text.length * 3 > USUAL) return Buffer.concat([this.#inner.subarray(0, BLOCK), Buffer.from(text)]);
    return this.#inner.subarray(0, BLOCK + this.#inner.write(text, BLOCK));
  }
}

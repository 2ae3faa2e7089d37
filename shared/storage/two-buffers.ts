import { lendBuffer, takeBack } from './lent-buffers.ts';

/** With less room than this a read costs more than it brings. */
const LEAST_ROOM = 64 << 10;

/**
 * What was received and not yet passed on, in two buffers that are used again: one is filled while the other is being
 * written. The place of the next bytes is told to a socket ahead of them, so a buffer is filled to its end before the
 * other one is taken.
 */
export class TwoBuffers {
  readonly #buffers: readonly [Buffer, Buffer] = [lendBuffer(), lendBuffer()];
  /** Of each buffer, what nobody has taken yet. */
  readonly #starts = [0, 0];
  readonly #ends = [0, 0];
  #filling: 0 | 1 = 0;
  #reading: 0 | 1 = 0;
  /** Somebody has a part of it. */
  #held: 0 | 1 | undefined;
  /** The one is full, and the other is not free yet. */
  #isFull = false;

  /** Where the next bytes go. Not to be written to while `isFull`. */
  room(): Buffer {
    return this.#isFull ? this.#buffers[other(this.#filling)] : this.#free();
  }

  #free(): Buffer {
    return this.#buffers[this.#filling].subarray(this.#ends[this.#filling]);
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** So many bytes were written to `room`. */
  fill(bytes: number): void {
    this.#ends[this.#filling]! += bytes;
    if (this.#free().length >= LEAST_ROOM) return;
    this.#isFull = true;
    this.#change();
  }

  /** What is there, without taking it. */
  peek(): Buffer {
    return this.#buffers[this.#reading].subarray(this.#starts[this.#reading], this.#ends[this.#reading]);
  }

  /** Leaves out what has been looked at. */
  skip(bytes: number): void {
    this.#starts[this.#reading]! += bytes;
  }

  /** Bytes in their order, good until the next call; undefined when there are none yet. */
  take(most: number): Buffer | undefined {
    this.#held = undefined;
    if (this.peek().length === 0 && this.#reading !== this.#filling) this.#reading = this.#filling;
    this.#change();
    const chunk = this.peek().subarray(0, most);
    if (chunk.length === 0) return undefined;
    this.skip(chunk.length);
    this.#held = this.#reading;
    return chunk;
  }

  /** Goes over to the other buffer when that is empty and nobody has it. */
  #change(): void {
    const next = other(this.#filling);
    if (!this.#isFull || this.#reading === next || this.#held === next) return;
    this.#starts[next] = 0;
    this.#ends[next] = 0;
    this.#filling = next;
    this.#isFull = false;
  }

  /** @param clean nobody reads from them or writes to them any more */
  giveBack(clean: boolean): void {
    for (const buffer of this.#buffers) takeBack(buffer, clean);
  }
}

function other(one: 0 | 1): 0 | 1 {
  return one === 0 ? 1 : 0;
}

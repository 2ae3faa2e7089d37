import { setImmediate as breathe } from 'node:timers/promises';

/** Milliseconds of work, then others may run. */
const LENGTH = 8;

/** A turn at the one thread that there is: long work asks now and then whether it is over, and waits for the next. */
export class Turn {
  #ends = performance.now() + LENGTH;

  isOver(): boolean {
    return performance.now() > this.#ends;
  }

  async next(): Promise<void> {
    await breathe();
    this.#ends = performance.now() + LENGTH;
  }
}

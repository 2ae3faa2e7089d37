/** How many times more than in CI: `LARDER_TEST_FUZZ=1000`; what is thrown is another thing each time, then. */
const TIMES = Number(process.env.LARDER_TEST_FUZZ ?? 1);
/** Milliseconds that a test may take with so many. */
export const FUZZ_TIMEOUT = 60_000 * Math.max(2, TIMES);
/** The only round that is run: what a failure printed. */
const SEED = process.env.LARDER_TEST_SEED;

/** Chance that can be had again by its seed (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `below` - 1. */
  int(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** True one time of so many. */
  oneOf(times: number): boolean {
    return this.int(times) === 0;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.int(of.length)]!;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.int(256)));
  }

  list<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.int(most + 1) }, make);
  }

  /** Letters that have made trouble somewhere. */
  text(most: number, letters = ODD): string {
    return this.list(most, () => this.pick(letters)).join('');
  }

  /** The same with a few bytes changed, left out, or put in: never the same. */
  changed(bytes: Buffer): Buffer {
    for (;;) {
      const changed = this.#changedOnce(bytes);
      if (!changed.equals(bytes)) return changed;
    }
  }

  #changedOnce(bytes: Buffer): Buffer {
    const [at, length] = [this.int(bytes.length + 1), 1 + this.int(this.pick([1, 1, 8, 200]))];
    const [before, behind] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (this.int(5)) {
      case 0:
        return Buffer.concat([before, behind.subarray(length)]);
      case 1:
        return Buffer.concat([before, this.bytes(length), behind]);
      case 2:
        return Buffer.concat([before, behind.subarray(0, length), behind]);
      case 3:
        return Buffer.concat([
          before,
          behind.subarray(length, 2 * length),
          behind.subarray(0, length),
          behind.subarray(2 * length),
        ]);
      default:
        return Buffer.concat([before, this.bytes(Math.min(length, behind.length)), behind.subarray(length)]);
    }
  }

  /** Cut wherever it likes. */
  async *pieces(bytes: Buffer): AsyncGenerator<Buffer> {
    const most = this.pick([1, 2, 7, 100, 10_000]);
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + this.int(most);
      yield Buffer.from(bytes.subarray(at, at + length));
      at += length;
    }
  }
}

export const ODD = [
  ...'abzAZ09-._~/+ %&=?#;,:\'"<>()*!$@^|\\[]{}`',
  ...'äßñ日本😀\u0001\u001f\u007f\u0085\u2028\t\r\n\u{10ffff}',
];

/** Runs something with other dice each time. Says the seed of the round that failed. */
export async function fuzz(rounds: number, run: (dice: Dice) => unknown): Promise<void> {
  const first = TIMES > 1 ? Date.now() % 1_000_000_000 : 1;
  const seeds =
    SEED === undefined ? Array.from({ length: rounds * TIMES }, (_, index) => first + index) : [Number(SEED)];
  for (const seed of seeds) {
    try {
      await run(new Dice(seed));
    } catch (cause) {
      throw new Error(`LARDER_TEST_SEED=${seed} does it again: ${(cause as Error).message}`, { cause });
    }
  }
}

const MOST = 10_000;

/** What an origin said it does not have, for a short while: installers ask for the same absent things again and again. */
export class Absences {
  readonly #until = new Map<string, number>();
  readonly #milliseconds: number;
  readonly #now: () => number;

  constructor(seconds: number, now: () => number) {
    this.#milliseconds = seconds * 1000;
    this.#now = now;
  }

  has(key: string): boolean {
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (until > this.#now()) return true;
    this.#until.delete(key);
    return false;
  }

  add(key: string): void {
    if (this.#until.size >= MOST) this.#until.clear();
    this.#until.set(key, this.#now() + this.#milliseconds);
  }
}

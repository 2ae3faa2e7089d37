/** Loads that are remembered, and how long one may take, milliseconds. */
const MOST = 20_000;
const LONGEST = 15 * 60_000;

interface Pin {
  sha: string;
  since: number;
  used: number;
}

/**
 * Which commit a client's load of a branch began with. Libraries ask for some files at `main` and for others at the
 * commit that they were told: when the branch moves in between, a load would mix two commits. So while a client keeps
 * asking, its branch stands still.
 */
export class LoadPins {
  readonly #pins = new Map<string, Pin>();
  readonly #idle: number;
  readonly #now: () => number;

  /** @param idleSeconds without a request, after which a load is over; 0: branches move at once */
  constructor(idleSeconds: number, now: () => number) {
    this.#idle = idleSeconds * 1000;
    this.#now = now;
  }

  get(load: string): string | undefined {
    const pin = this.#pins.get(load);
    const now = this.#now();
    if (!pin || now - pin.used >= this.#idle || now - pin.since >= LONGEST || now < pin.used) return undefined;
    pin.used = now;
    return pin.sha;
  }

  set(load: string, sha: string): void {
    if (this.#idle === 0) return;
    const now = this.#now();
    this.#pins.delete(load);
    this.#pins.set(load, { sha, since: now, used: now });
    if (this.#pins.size > MOST) this.#pins.delete(this.#pins.keys().next().value!);
  }

  /** Somebody here moved the branches of a repo, and wants to see it: ends the loads whose name holds `part`. */
  drop(part: string): void {
    for (const load of this.#pins.keys()) if (load.includes(part)) this.#pins.delete(load);
  }
}

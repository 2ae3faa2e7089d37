/** Runs one question of a name at a time; whoever asks meanwhile gets the same answer. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** @returns the answer, and whether somebody else had asked already */
  async run(name: string, ask: () => Promise<T>): Promise<{ answer: T; shared: boolean }> {
    const running = this.#running.get(name);
    if (running) return { answer: await running, shared: true };
    const asked = ask().finally(() => this.#running.delete(name));
    this.#running.set(name, asked);
    return { answer: await asked, shared: false };
  }

  /** Waits for all that runs, whatever comes of it. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }
}

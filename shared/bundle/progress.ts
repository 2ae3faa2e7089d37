/** What long work tells of itself; the command line draws it, tests count it. */
export interface BundleProgress {
  /** A named step begins. */
  step(name: string, total?: { count?: number; bytes?: number }): void;
  /** Something of it is done. */
  advance(done: { count?: number; bytes?: number; label?: string }): void;
}

/** For callers that show nothing. */
export const silent: BundleProgress = { step: () => undefined, advance: () => undefined };

/** What the command's exit status says. */
export const EXIT = {
  done: 0,
  failed: 1,
  /** The command line, the settings or the manifest are wrong: nothing was begun. */
  usage: 2,
  /** It ended, and something is missing or damaged; what, it said. */
  incomplete: 3,
} as const;

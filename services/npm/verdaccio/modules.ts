import { createRequire } from 'node:module';
import type { Logger } from 'pino';

/** The index of names that Verdaccio keeps in memory, one per process. */
interface Indexer {
  init(): Promise<void>;
  query(text: string): Promise<{ hits: { id: string }[] }>;
}

// the CommonJS form of all of them: its parts must be the very ones that Verdaccio itself has
const here = createRequire(import.meta.url);
const verdaccio = createRequire(here.resolve('verdaccio'));

export const { runServer } = here('verdaccio') as typeof import('verdaccio');
export const { setup: setUpLogger } = verdaccio('@verdaccio/logger') as {
  setup(options: object): Logger & Record<symbol, unknown>;
};
export const { SearchMemoryIndexer: searchIndex } = verdaccio('@verdaccio/search-indexer') as {
  SearchMemoryIndexer: Indexer;
};
/** Where a logger of Verdaccio's pino, which may be another one than ours, keeps what it writes to. */
export const logStream = (
  createRequire(verdaccio.resolve('@verdaccio/logger'))('pino') as { symbols: { streamSym: symbol } }
).symbols.streamSym;

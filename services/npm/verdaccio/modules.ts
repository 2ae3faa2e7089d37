import { createRequire } from 'node:module';
import type { Logger } from 'pino';

/** The index of names that Verdaccio keeps in memory, one per process. */
interface Indexer {
  init(): Promise<void>;
  query(text: string): Promise<{ hits: { id: string }[] }>;
}

/** Parts of Verdaccio: the very ones that it has itself. */
export interface Modules {
  runServer: typeof import('verdaccio').runServer;
  setUpLogger(options: object): Logger & Record<symbol, unknown>;
  searchIndex: Indexer;
  /** Where a logger of Verdaccio's pino, which may be another one than ours, keeps what it writes to. */
  logStream: symbol;
}

let known: Modules | undefined;

/** Loads Verdaccio, which takes a second and 50 MB: a site that only reads never needs it. */
export function loadModules(): Modules {
  known ??= load();
  return known;
}

/** The CommonJS form of all of them: another one would be other parts. */
function load(): Modules {
  const here = createRequire(import.meta.url);
  const verdaccio = createRequire(here.resolve('verdaccio'));
  const logger = createRequire(verdaccio.resolve('@verdaccio/logger'));
  const { runServer } = here('verdaccio') as Pick<Modules, 'runServer'>;
  const { setup } = verdaccio('@verdaccio/logger') as { setup: Modules['setUpLogger'] };
  const { SearchMemoryIndexer } = verdaccio('@verdaccio/search-indexer') as { SearchMemoryIndexer: Indexer };
  const { symbols } = logger('pino') as { symbols: { streamSym: symbol } };
  return { runServer, setUpLogger: setup, searchIndex: SearchMemoryIndexer, logStream: symbols.streamSym };
}

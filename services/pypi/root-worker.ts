import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { rootPieces } from './render.ts';
import type { RootJob, RootOutcome } from './root-documents.ts';
import { joinRootNames, readRootNames } from './root-names.ts';

// A process of its own: the list of a large index is tens of megabytes, which are parsed, sorted and written here, and
// whose memory goes with it. A thread leaves half of it behind.
process.once('message', (job: RootJob) => void write(job));
process.once('disconnect', () => process.exit(1));

async function write({ sources, names, format, serial, target }: RootJob): Promise<void> {
  const outcome: RootOutcome = { failed: [] };
  const lists: (readonly string[])[] = [names];
  for (const source of sources) {
    try {
      lists.push(readRootNames(await readFile(source.path), source));
    } catch (error) {
      outcome.failed.push({ origin: source.origin, reason: (error as Error).message });
    }
  }
  await pipeline(Readable.from(rootPieces(joinRootNames(lists), format, serial)), createWriteStream(target));
  process.send!(outcome, () => process.exit(0));
}

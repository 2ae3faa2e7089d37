import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { rootPieces } from './render.ts';
import type { RootJob, RootOutcome } from './root-documents.ts';
import { joinRootNames, readRootNames } from './root-names.ts';

// A thread of its own: the list of a large index is tens of megabytes, which are parsed, sorted and written here, and
// whose memory goes with the thread.
const { sources, names, format, serial, target } = workerData as RootJob;
const outcome: RootOutcome = { failed: [] };
const lists: string[][] = [[...names]];
for (const source of sources) {
  try {
    lists.push(readRootNames(await readFile(source.path), source));
  } catch (error) {
    outcome.failed.push({ origin: source.origin, reason: (error as Error).message });
  }
}
await pipeline(Readable.from(rootPieces(joinRootNames(lists), format, serial)), createWriteStream(target));
parentPort!.postMessage(outcome);

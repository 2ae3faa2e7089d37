import { digestOf } from '../model/digest.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { auditPath, importPath } from '../storage/paths.ts';
import type { OpenedBundle } from './open.ts';

/** What an import leaves behind: it may travel back, and is what a later bundle can build on. */
export interface Receipt {
  format: 'larder-receipt/1';
  bundle: string;
  /** sha256 of the bundle's tag manifest. */
  tagmanifest: string;
  result: 'complete';
  items: number;
  newBlobs: number;
  existing: number;
  newBytes: number;
  names: number;
  /** ISO 8601. */
  finished: string;
}

/** Says that an import is under way, and of what. */
export async function writeJournal(objects: ObjectStore, bundle: OpenedBundle, now: number): Promise<void> {
  const journal = {
    format: 'larder-journal/1',
    bundle: bundle.head.id,
    tagmanifest: bundle.tagManifest,
    started: new Date(now).toISOString(),
  };
  await objects.put(importPath(bundle.head.id, 'journal.json'), Buffer.from(`${JSON.stringify(journal)}\n`));
}

/** Ends an import: receipt, audit line, then the journal goes. */
export async function writeReceipt(
  objects: ObjectStore,
  bundle: OpenedBundle,
  counts: Pick<Receipt, 'items' | 'newBlobs' | 'existing' | 'newBytes' | 'names'>,
  now: number,
): Promise<Receipt> {
  const receipt: Receipt = {
    format: 'larder-receipt/1',
    bundle: bundle.head.id,
    tagmanifest: bundle.tagManifest,
    result: 'complete',
    ...counts,
    finished: new Date(now).toISOString(),
  };
  const line = Buffer.from(`${JSON.stringify(receipt)}\n`);
  await objects.put(importPath(bundle.head.id, 'receipt.json'), line);
  await objects.put(auditPath(receipt.finished, `import-${digestOf(line).slice(7, 23)}`), line);
  await objects.delete(importPath(bundle.head.id, 'journal.json'));
  return receipt;
}

import { openBundle } from '../../shared/bundle/open.ts';
import { shownBytes } from './progress.ts';

/** Shows a bundle to the person who decides about it. */
export async function inspect(dir: string, json: boolean): Promise<void> {
  const bundle = await openBundle(dir);
  const { head } = bundle;
  if (json) {
    process.stdout.write(`${JSON.stringify({ ...head, code: bundle.code })}\n`);
    for await (const { entries: _entries, refs: _refs, ...item } of bundle.items())
      process.stdout.write(`${JSON.stringify(item)}\n`);
    return;
  }
  const rows = [
    ['bundle', head.id],
    ['code', bundle.code],
    ['made', `${head.created} by ${head.creator.tool}`],
    ...(head.channel ? [['channel', head.channel]] : []),
    ['holds', `${head.counts.items} items, ${head.counts.blobs} blobs, ${shownBytes(head.counts.bytes)}`],
    ['complete', head.complete ? 'yes' : `no: ${head.failed.length} missing`],
  ];
  for (const [name, value] of rows) process.stdout.write(`${name!.padEnd(10)}${value}\n`);
  for (const { item, message } of head.failed) process.stdout.write(`missing   ${item}: ${message}\n`);
  process.stdout.write('\n');
  for await (const item of bundle.items()) {
    const size = [...item.entries, ...item.refs].reduce((sum, entry) => sum + entry.size, 0);
    process.stdout.write(`${shownBytes(size).padStart(9)}  ${printable(item.id)}\n`);
  }
}

/** Names come from a medium: what would move a terminal's cursor is shown, not done. */
function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}

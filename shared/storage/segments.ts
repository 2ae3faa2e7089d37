/** The first key at or behind `from` (behind it alone when `exclusive`) that starts with the prefix in hand. */
export type Seek = (from: string, exclusive: boolean) => string | undefined;

/**
 * The next name between `prefix` and a slash (or the end of the key) that is greater than `after`, found by seeks
 * alone, however many keys lie below each name. Names come in byte order.
 *
 * Keys are ordered as `a-b/x`, `a/x`: what lies below the folder `a` stands behind keys whose name is longer than `a`,
 * when they go on with a byte less than the slash. So beside the next key, the folders that are a beginning of its name
 * are looked for too.
 */
export function nextSegment(seek: Seek, prefix: string, after: string | undefined): string | undefined {
  let key = after === undefined ? seek(prefix, false) : seek(prefix + after, true);
  for (;;) {
    if (key === undefined) return undefined;
    const segment = segmentOf(key, prefix);
    const folder = shorterFolder(seek, prefix, segment, after);
    if (folder !== undefined) return folder;
    if (after === undefined || compare(segment, after) > 0) return segment;
    // A folder that was told already: '0' follows '/' in byte order.
    key = seek(`${prefix}${segment}0`, false);
  }
}

/** The shortest beginning of `segment` that is a folder, stands behind it in the order of keys, and was not told yet. */
function shorterFolder(seek: Seek, prefix: string, segment: string, after: string | undefined): string | undefined {
  for (let length = 0; length < segment.length; length += 1) {
    if (segment[length]! >= '/') continue;
    const beginning = segment.slice(0, length);
    if (after !== undefined && compare(beginning, after) <= 0) continue;
    if (seek(`${prefix}${beginning}/`, false)?.startsWith(`${prefix}${beginning}/`)) return beginning;
  }
  return undefined;
}

function segmentOf(key: string, prefix: string): string {
  const end = key.indexOf('/', prefix.length);
  return end === -1 ? key.slice(prefix.length) : key.slice(prefix.length, end);
}

/** In the order of UTF-8, as the index has it; JavaScript's own differs beyond the basic plane. */
export function compare(one: string, other: string): number {
  if (one === other) return 0;
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** Comes behind every key that begins with what stands before it. */
export const LAST = '\u{10ffff}';

/** False for a beginning of keys none of which has the prefix and comes behind `after`. */
export function touches(beginning: string, prefix: string, after: string): boolean {
  if (!beginning.startsWith(prefix) && !prefix.startsWith(beginning)) return false;
  if (after === beginning + LAST) return false;
  return after.startsWith(beginning) || compare(after, beginning) < 0;
}

/** The bound behind every key that starts with `prefix`: no UTF-8 holds the byte FF. */
export function behind(prefix: string): Buffer {
  return Buffer.concat([Buffer.from(prefix), Buffer.from([0xff])]);
}

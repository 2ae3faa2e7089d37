/** Bytes of a large buffer: what one read or write takes at most. */
export const CHUNK = 1 << 20;
/** With many readers at once speed is not theirs alone, but memory is. */
const SMALL_CHUNK = 128 << 10;
/** Large buffers in use at once. */
const MOST_LENT = 16;
let lent = 0;
/** Large buffers that wait for their next use. */
const idle: Buffer[] = [];

/** A buffer to read into, large while few are in use. */
export function lendBuffer(): Buffer {
  if (lent >= MOST_LENT) return Buffer.allocUnsafeSlow(SMALL_CHUNK);
  lent += 1;
  return idle.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
}

/** Takes it back. @param clean nobody reads from it or writes to it any more, so that it may be used again */
export function takeBack(buffer: Buffer | undefined, clean: boolean): void {
  if (buffer?.length !== CHUNK) return;
  lent -= 1;
  if (clean) idle.push(buffer);
}

import { fromSystemError, type MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { Mirror } from './mirror.ts';
import type { Served } from './resource.ts';

export interface WarmEvent {
  ref: Ref;
  served: Served;
  /** Bytes of it. */
  size: number;
}

export interface WarmResult {
  held: number;
  bytes: number;
  failed: { ref: Ref; error: MirrorError }[];
}

export interface WarmOptions {
  /** Names that are fetched side by side. */
  concurrency?: number;
  signal?: AbortSignal;
  progress?(event: WarmEvent): void;
  /** Go on after a failure; all of them are in the result. */
  keepGoing?: boolean;
}

/** Sees to it that names are held. Throws the first failure unless told to go on. */
export async function warm(
  mirror: Mirror,
  refs: AsyncIterable<Ref> | Iterable<Ref>,
  options: WarmOptions = {},
): Promise<WarmResult> {
  const result: WarmResult = { held: 0, bytes: 0, failed: [] };
  const running = new Set<Promise<void>>();
  for await (const ref of refs) {
    options.signal?.throwIfAborted();
    if (result.failed.length > 0 && !options.keepGoing) break;
    const one = holdOne(mirror, ref, result, options).finally(() => running.delete(one));
    running.add(one);
    if (running.size >= (options.concurrency ?? 8)) await Promise.race(running);
  }
  await Promise.all(running);
  const [first] = result.failed;
  if (first && !options.keepGoing) throw first.error;
  return result;
}

async function holdOne(mirror: Mirror, ref: Ref, result: WarmResult, options: WarmOptions): Promise<void> {
  try {
    const { entry, served } = await mirror.hold(ref);
    result.held += 1;
    result.bytes += entry.size;
    options.progress?.({ ref, served, size: entry.size });
  } catch (error) {
    result.failed.push({ ref, error: fromSystemError(error, ref.subject) });
  }
}

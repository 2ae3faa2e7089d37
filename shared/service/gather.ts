import type { Failed, ResolvedItem } from '../bundle/create-options.ts';
import type { ParsedItem } from '../bundle/manifest.ts';
import { warm } from '../mirror/warm.ts';
import type { Entry } from '../model/entry.ts';
import { isKind, MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { BundleItem, ClosureEnvironment, Context, ManifestItem, MissingEdge, Service } from './service.ts';

/** A service that is up, as bundles need it. */
export interface Provider {
  service: Service<unknown>;
  context: Context<unknown>;
  /** Where it answers on loopback; no trailing slash. */
  url: string;
}

export interface GatherOptions {
  items: readonly ParsedItem[];
  /** `defaults.platforms` of the manifest, by item type. */
  defaults: Record<string, unknown>;
  providers: readonly Provider[];
  /** The manifest's folder. */
  baseDir: string;
  workDir: string;
  signal: AbortSignal;
  note(message: string): void;
  /** Told of bytes as they come to be held. */
  fetched?(name: string, bytes: number): void;
  /** What could not be had is put here, and the rest goes on. */
  failed: Failed[];
}

/** How many items of a manifest are fetched side by side. */
const AT_ONCE = 6;

/**
 * Turns the items of a manifest into names that the store holds: each service resolves its own (`closure`), the mirror
 * fetches what is not held yet.
 */
export async function* gather(options: GatherOptions): AsyncGenerator<ResolvedItem> {
  for (const parsed of options.items) {
    const provider = providerOf(parsed.type, options.providers);
    const item = manifestItem(parsed, options.defaults);
    const found = provider.service.bundling!.closure(provider.context, item, environmentOf(provider, options));
    try {
      yield* hold(found, provider, options);
    } catch (error) {
      if (!isKind(error, ...LACKING)) throw error;
      options.failed.push({ item: labelOf(parsed), message: error.message });
    }
  }
}

/** What one item may suffer without an end to the others: all that is missing is told at once. */
const LACKING = ['not-found', 'not-held', 'forbidden', 'upstream-denied', 'upstream-failed'] as const;

/** `oci:nvcr.io/nvidia/tao:5`, as the manifest has it. */
function labelOf({ type, value, where }: ParsedItem): string {
  const named = (value as Record<string, unknown> | undefined)?.[type];
  return typeof named === 'string' ? `${type}:${named}` : where;
}

/** Solves the items again over services that stand on the bundle alone. */
export async function proveItems(options: Omit<GatherOptions, 'failed'>): Promise<Failed[]> {
  const missing: Failed[] = [];
  for (const parsed of options.items) {
    const provider = providerOf(parsed.type, options.providers);
    const prove = provider.service.bundling!.prove;
    if (!prove) continue;
    const edges = prove.call(
      provider.service.bundling,
      provider.context,
      manifestItem(parsed, options.defaults),
      environmentOf(provider, options),
    ) as AsyncIterable<MissingEdge>;
    for await (const edge of edges) missing.push({ item: edge.target, message: edge.message });
  }
  return missing;
}

/** All item types of these services, each with the schema of a whole item. */
export function itemTypes(services: readonly Service<unknown>[]): Map<string, Service<unknown>['configSchema']> {
  return new Map(services.flatMap((service) => Object.entries(service.bundling?.items ?? {})));
}

function providerOf(type: string, providers: readonly Provider[]): Provider {
  const provider = providers.find(({ service }) => service.bundling && type in service.bundling.items);
  if (!provider) throw new MirrorError('unsupported', 'manifest', `no service here takes items of type "${type}"`);
  return provider;
}

function manifestItem(parsed: ParsedItem, defaults: Record<string, unknown>): ManifestItem {
  return { type: parsed.type, value: parsed.value, defaults };
}

function environmentOf(provider: Provider, options: Omit<GatherOptions, 'failed'>): ClosureEnvironment {
  const { baseDir, workDir, signal, note } = options;
  return { baseDir, workDir, signal, note, url: provider.url };
}

/** Fetches items a few at a time and hands them on in their own order, so that a bundle comes out the same each time. */
async function* hold(
  items: AsyncIterable<BundleItem>,
  provider: Provider,
  options: GatherOptions,
): AsyncGenerator<ResolvedItem> {
  const running: Promise<ResolvedItem | undefined>[] = [];
  for await (const item of items) {
    options.signal.throwIfAborted();
    running.push(holdItem(item, provider, options));
    if (running.length >= AT_ONCE) yield* present(await running.shift());
  }
  while (running.length > 0) yield* present(await running.shift());
}

function* present<T>(value: T | undefined): Generator<T> {
  if (value !== undefined) yield value;
}

async function holdItem(
  item: BundleItem,
  provider: Provider,
  options: GatherOptions,
): Promise<ResolvedItem | undefined> {
  const { mirror } = provider.context;
  const wanted = await warm(mirror, item.refs, { signal: options.signal, keepGoing: true });
  for (const failure of wanted.failed) options.failed.push({ item: item.id, message: failure.error.message });
  if (wanted.failed.length > 0) return undefined;
  await warm(mirror, item.optional ?? [], { signal: options.signal, keepGoing: true });
  const entries: Entry[] = [];
  const refs: Entry[] = [];
  for (const ref of [...item.refs, ...(item.optional ?? [])]) await collect(ref, mirror, entries, refs);
  options.fetched?.(
    item.id,
    entries.reduce((sum, entry) => sum + entry.size, 0),
  );
  return { id: item.id, type: item.type, service: provider.service.name, details: item.details, entries, refs };
}

async function collect(ref: Ref, mirror: Context<unknown>['mirror'], entries: Entry[], refs: Entry[]): Promise<void> {
  const entry = await mirror.held(ref);
  if (entry) (ref.freshness === 'immutable' ? entries : refs).push(entry);
}

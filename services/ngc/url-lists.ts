import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { FetchOptions, Upstream } from '../../shared/upstream/upstream.ts';
import type { NgcConfig } from './config.ts';
import { jsonOf, readBody } from './origin-documents.ts';
import { placeOf, urlListSource } from './refs.ts';

/** Bytes of an answer that names one address. */
const MOST_LIST = 4 << 20;

/**
 * Where form 5 does not lead to a file's bytes (its address is not taken, or the file host refuses it), NGC is asked for
 * one by form 8, which is what its own clients do. What NGC itself refuses (403, 412, 451) is not asked for again.
 */
export function withUrlLists(upstream: Upstream, config: NgcConfig, keyed: boolean): Upstream {
  return {
    describe: (ref, options) => upstream.describe(ref, options),
    async fetch(ref, options = {}) {
      try {
        return await upstream.fetch(ref, options);
      } catch (error) {
        if (!mayHaveAnother(ref, error)) throw error;
        const source = await signedSource(upstream, ref, urlSource(config, keyed, ref), options).catch(() => undefined);
        if (source === undefined) throw error;
        return upstream.fetch({ ...ref, source }, options);
      }
    },
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

function mayHaveAnother(ref: Ref, error: unknown): boolean {
  if (!ref.key.startsWith('file/') || !(error instanceof MirrorError)) return false;
  const { originStatus = 0 } = error;
  if (isKind(error, 'upstream-denied')) return originStatus === 400 || originStatus === 401;
  return isKind(error, 'upstream-failed') && (originStatus === 400 || originStatus === 401 || originStatus === 403);
}

function urlSource(config: NgcConfig, keyed: boolean, ref: Ref): string {
  const { artifact, version, path } = placeOf(ref.key)!;
  return urlListSource(config, keyed, { artifact, version: version! }, path!);
}

/** The address that NGC signed for this file; undefined when it names none. */
async function signedSource(
  upstream: Upstream,
  ref: Ref,
  source: string,
  { signal }: FetchOptions,
): Promise<string | undefined> {
  const asked: Ref = { ...ref, key: `asked/${ref.key}`, source, accept: 'application/json', promised: undefined };
  const arrival = await upstream.fetch(asked, { signal });
  if (arrival.outcome !== 'fresh') return undefined;
  const { urls } = jsonOf(await readBody(arrival.body, MOST_LIST, ref), ref) as { urls?: unknown };
  const first = Array.isArray(urls) ? urls[0] : undefined;
  return typeof first === 'string' ? URL.parse(first)?.href : undefined;
}

import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { Arrival, FetchOptions, Upstream } from '../../shared/upstream/upstream.ts';
import type { NgcConfig } from './config.ts';
import { jsonOf, readBody } from './origin-documents.ts';
import { placeOf, urlListSource } from './refs.ts';

/** Bytes of an answer that names one address. */
const MOST_LIST = 4 << 20;

/**
 * Files, wherever NGC's addresses lead. What the file host offers has to have the size that NGC's list says, or nobody
 * sees a byte of it.
 *
 * Where form 5 does not lead to a file's bytes (its address is not taken, or the file host refuses it), NGC is asked for
 * one by form 8, which is what its own clients do. What NGC itself refuses (403, 412, 451) is not asked for again.
 */
export function withFiles(upstream: Upstream, config: NgcConfig, keyed: boolean): Upstream {
  return {
    describe: (ref, options) => upstream.describe(ref, options),
    async fetch(ref, options = {}) {
      if (!ref.key.startsWith('file/')) return upstream.fetch(ref, options);
      try {
        return checked(await upstream.fetch(ref, options), ref);
      } catch (error) {
        if (!mayHaveAnother(error)) throw error;
        const source = await signedSource(upstream, ref, urlSource(config, keyed, ref), options).catch(() => undefined);
        if (source === undefined) throw error;
        return checked(await upstream.fetch({ ...ref, source }, options), ref);
      }
    },
    close: () => upstream.close?.() ?? Promise.resolve(),
  };
}

function checked(arrival: Arrival, ref: Ref): Arrival {
  const { size } = ref.promised ?? {};
  if (arrival.outcome !== 'fresh' || size === undefined) return arrival;
  const offered = arrival.facts.size;
  if (offered === undefined || offered === size) return arrival;
  arrival.body.on('error', () => undefined).destroy();
  const message = `${ref.label} has ${size} bytes by its list, and its host offers ${offered}`;
  throw new MirrorError('corrupt', ref.subject, message);
}

/** Refused is the address: by NGC, which does not take it in this form, or by the file host, which does not take NGC's. */
function mayHaveAnother(error: unknown): boolean {
  if (isKind(error, 'upstream-denied')) return error.originStatus === 400 || error.originStatus === 401;
  return isKind(error, 'upstream-failed') && [400, 401, 403, 404, 410].includes(error.originStatus ?? 0);
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

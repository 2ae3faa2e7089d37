import type { RequestHandler } from 'express';
import { send, sendBytes } from '../../shared/http/send.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { type Asked, keysKey } from './refs.ts';
import type { Rooms } from './rooms.ts';

const MOST_KEYS = 1 << 20;
const FACTS = { mediaType: 'application/json', headers: {} };

/**
 * The keys with which a registry signs its versions: `npm audit signatures` checks with them ("About registry
 * signatures" in npm's documentation).
 */
export function keysRef(origin: Asked): Ref {
  return {
    key: keysKey(origin.name),
    subject: 'keys',
    label: `the signing keys of "${origin.name}"`,
    source: `${origin.url}-/npm/v1/keys`,
    origin: origin.name,
    accept: 'application/json',
    freshness: { fresh: 3600, stale: 86_400 },
  };
}

/** `/-/npm/v1/keys`: those of all origins, since a client takes what is here for one registry. */
export function keysHandler({ context, origins }: Pick<Rooms, 'context' | 'origins'>): RequestHandler {
  return async (req, res) => {
    const list = await origins.list();
    if (list.length === 1) return send(req, res, await context.mirror.open(keysRef(list[0]!)));
    const found = await Promise.all(list.map((origin) => keysOf(context, origin)));
    const sets = found.filter((keys) => keys !== undefined);
    // npm takes a 404 for a registry that signs nothing
    if (sets.length === 0) throw new MirrorError('not-found', 'keys', 'no origin has signing keys');
    await sendBytes(req, res, Buffer.from(JSON.stringify({ keys: sets.flat() })), FACTS);
  };
}

/** Undefined for an origin that signs nothing, or cannot be asked: that takes nothing from the others. */
async function keysOf(context: Rooms['context'], origin: Asked): Promise<unknown[] | undefined> {
  try {
    const { bytes } = await context.mirror.read(keysRef(origin), { maxBytes: MOST_KEYS });
    const { keys } = JSON.parse(bytes.toString('utf8')) as { keys?: unknown };
    return Array.isArray(keys) ? keys : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isKind(error, 'not-found', 'not-held')) return undefined;
    context.log.warn({ event: 'keys', origin: origin.name }, (error as Error).message);
    return undefined;
  }
}

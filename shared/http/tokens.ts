import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import NodeCache from 'node-cache';
import { z } from 'zod';
import { MirrorError } from '../model/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { TOKENS, tokenPath } from '../storage/paths.ts';

export type Action = 'read' | 'write' | 'admin';

/** Who asks, as far as a token tells. */
export interface Identity {
  id: string;
  name: string;
  actions: readonly Action[];
  /** Services it is for; `*` for all. */
  services: readonly string[];
}

const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  actions: z.array(z.enum(['read', 'write', 'admin'])),
  services: z.array(z.string()),
  /** sha256 of the secret: the secret itself is shown once and kept nowhere. */
  sha256: z.string(),
  created: z.string(),
  expires: z.string().optional(),
});
export type Token = z.infer<typeof tokenSchema>;

/** Milliseconds. */
const LENT = 3_600_000;
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET = /^(?:lrd_([a-z0-9]{8})_|hf_([a-z0-9]{8}))[0-9A-Za-z]{40}$/;

/**
 * Tokens live in the store, so that every replica knows them. A secret is `lrd_<id>_<40 characters>`, or
 * `hf_<id><40 characters>`: clients of model hubs send nothing that has another shape.
 */
export class Tokens {
  readonly #objects: ObjectStore;
  readonly #now: () => number;
  readonly #known = new NodeCache({ stdTTL: 5, useClones: false, checkperiod: 60, maxKeys: 10_000 });

  constructor(objects: ObjectStore, options: { now(): number }) {
    this.#objects = objects;
    this.#now = options.now;
  }

  /** Makes a token; the secret is in the answer and nowhere else. */
  async create(wish: {
    name: string;
    actions: Action[];
    services: string[];
    expires?: string;
    shape?: 'lrd' | 'hf';
  }): Promise<{ token: Token; secret: string }> {
    const id = randomBytes(4).toString('hex');
    const { shape, ...wanted } = wish;
    const letters = Array.from({ length: 40 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
    const secret = shape === 'hf' ? `hf_${id}${letters}` : `lrd_${id}_${letters}`;
    const token: Token = { id, ...wanted, sha256: sha256(secret), created: new Date(this.#now()).toISOString() };
    await this.#objects.put(tokenPath(id), Buffer.from(`${JSON.stringify(token)}\n`), { ifAbsent: true });
    return { token, secret };
  }

  /** Has something done with a token that may read a service, and is revoked afterwards; after an hour at the latest. */
  async lend<T>(service: string, act: (secret: string) => Promise<T>): Promise<T> {
    const expires = new Date(this.#now() + LENT).toISOString();
    const { token, secret } = await this.create({ name: 'lent', actions: ['read'], services: [service], expires });
    try {
      return await act(secret);
    } finally {
      await this.revoke(token.id);
    }
  }

  /** Whose secret this is; undefined when it is nobody's, revoked or expired. */
  async verify(secret: string): Promise<Identity | undefined> {
    const [, plain, hub] = SECRET.exec(secret) ?? [];
    const id = plain ?? hub;
    if (!id) return undefined;
    const hash = sha256(secret);
    const remembered = this.#known.get<Token>(hash);
    const known = remembered ?? (await this.#read(tokenPath(id)));
    if (!known || !timingSafeEqual(Buffer.from(known.sha256, 'hex'), Buffer.from(hash, 'hex'))) return undefined;
    // a date that is none is over
    if (known.expires !== undefined && !(Date.parse(known.expires) > this.#now())) return undefined;
    // remembered once and not anew with each use: one that is in use all the time can be revoked too
    if (!remembered && this.#known.getStats().keys < 10_000) this.#known.set(hash, known);
    return { id: known.id, name: known.name, actions: known.actions, services: known.services };
  }

  /**
   * Whose token has this id, for clients that sign with a secret of their own instead of sending one. Undefined when
   * there is none, or it is over; remembered for a few seconds.
   */
  async byId(id: string): Promise<Identity | undefined> {
    if (!/^[a-z0-9]{8}$/.test(id)) return undefined;
    const remembered = this.#known.get<Token>(`id ${id}`);
    const known = remembered ?? (await this.#read(tokenPath(id)));
    if (!known || (known.expires !== undefined && !(Date.parse(known.expires) > this.#now()))) return undefined;
    if (!remembered && this.#known.getStats().keys < 10_000) this.#known.set(`id ${id}`, known);
    return { id: known.id, name: known.name, actions: known.actions, services: known.services };
  }

  async *list(): AsyncGenerator<Omit<Token, 'sha256'>> {
    for await (const { key } of this.#objects.list(TOKENS)) {
      const token = await this.#read(key);
      if (!token) continue;
      const { sha256: _hidden, ...shown } = token;
      yield shown;
    }
  }

  /** Throws `not-found` when there is no such token. Replicas forget it within seconds. */
  async revoke(id: string): Promise<void> {
    if (!/^[a-z0-9]{8}$/.test(id) || !(await this.#objects.head(tokenPath(id)))) {
      throw new MirrorError(
        'not-found',
        'token',
        `there is no token "${id.slice(0, 40)}"; "larder token list" shows those there are`,
      );
    }
    await this.#objects.delete(tokenPath(id));
    this.#known.flushAll();
  }

  async #read(path: string): Promise<Token | undefined> {
    const found = await this.#objects.get(path);
    if (!found) return undefined;
    return tokenSchema.parse(JSON.parse(Buffer.concat(await found.body.toArray()).toString('utf8')));
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

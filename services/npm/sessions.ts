import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { digestOf } from '../../shared/model/digest.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NpmConfig } from './config.ts';

/** Names in the catalog: no item of a bundle brings them. */
const sessionKey = (id: string) => `session/${id}`;
const HEADER = 'x-larder-session';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Begins as Larder's own do, so that what keeps those out of logs keeps these out, too. */
const SECRET = /^lrd_npm_([0-9a-f]{12})_[0-9A-Za-z]{40}$/;
const MOST = 1_000;

const sessionSchema = z.object({
  id: z.string(),
  kind: z.enum(['login', 'token']),
  /** What `npm whoami` says. */
  user: z.string(),
  /** The id of Larder's token that it was made with, and ends with. */
  parent: z.string(),
  /** sha256 of the secret. */
  sha256: z.string(),
  readonly: z.boolean(),
  /** Addresses that may use it; all when empty. */
  cidr: z.array(z.string()),
  /** ISO 8601. */
  created: z.string(),
  expires: z.string().optional(),
  name: z.string().optional(),
});
export type Session = z.infer<typeof sessionSchema>;

export type SessionWish = Pick<Session, 'kind' | 'user' | 'parent' | 'readonly' | 'cidr' | 'expires' | 'name'>;

/**
 * Tokens that `npm login` and `npm token create` hand out. Each is made with a token of Larder's, may do no more than
 * that, and is worth nothing when that is revoked.
 */
export class Sessions {
  readonly #most: number;
  readonly #rooms: Pick<Context<NpmConfig>, 'catalog' | 'blobs' | 'now'>;

  /** @param most of one token of Larder's; more logins than this end the oldest */
  constructor(rooms: Pick<Context<NpmConfig>, 'catalog' | 'blobs' | 'now'>, most = MOST) {
    this.#rooms = rooms;
    this.#most = most;
  }

  /** True for what has the shape of one. */
  static isSecret(text: string): boolean {
    return SECRET.test(text);
  }

  /** @returns also the secret, which is kept nowhere. Throws `conflict` when too many were made with one token. */
  async create(wish: SessionWish): Promise<{ session: Session; secret: string }> {
    const { catalog, blobs, now } = this.#rooms;
    await this.#makeRoom(wish.parent);
    const id = randomBytes(6).toString('hex');
    const secret = `lrd_npm_${id}_${Array.from({ length: 40 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')}`;
    const created = new Date(now()).toISOString();
    const session: Session = { id, ...wish, sha256: sha256(secret), created };
    const nothing = Buffer.alloc(0);
    const digest = digestOf(nothing);
    await blobs.put(digest, 0, Readable.from([], { objectMode: false }));
    const facts = { mediaType: 'application/json', origin: 'upload', storedAt: created, checkedAt: created };
    const headers = { [HEADER]: JSON.stringify(session) };
    await catalog.put({ key: sessionKey(id), digest, size: 0, headers, ...facts }, { ifAbsent: true });
    return { session, secret };
  }

  /** Whose secret this is; undefined when it is nobody's, revoked or expired. */
  async verify(secret: string): Promise<Session | undefined> {
    const [, id] = SECRET.exec(secret) ?? [];
    const session = id && (await this.#read(id));
    if (!session || !timingSafeEqual(Buffer.from(session.sha256, 'hex'), Buffer.from(sha256(secret), 'hex')))
      return undefined;
    const isOver = session.expires !== undefined && !(Date.parse(session.expires) > this.#rooms.now());
    return isOver ? undefined : session;
  }

  /** Those made with one token of Larder's, oldest first. */
  async list(parent: string): Promise<Session[]> {
    const entries = await this.#rooms.catalog.list(sessionKey(''));
    const sessions = entries.flatMap(({ headers }) => parsed(headers[HEADER]) ?? []);
    const its = sessions.filter((session) => session.parent === parent);
    return its.sort((one, other) => (one.created < other.created ? -1 : 1));
  }

  /** @param key its id, its secret, or enough of either to tell it from the others. Throws `not-found`. */
  async revoke(parent: string, key: string): Promise<void> {
    const wanted = SECRET.exec(key)?.[1] ?? key.replace(/^lrd_npm_/, '').replace(/_.*$/, '');
    const found = (await this.list(parent)).filter(({ id }) => wanted.length >= 6 && id.startsWith(wanted));
    if (found.length !== 1)
      throw new MirrorError('not-found', 'token', 'there is no such token; "npm token list" shows those there are');
    await this.#rooms.catalog.delete(sessionKey(found[0]!.id));
  }

  /** Ends those that are over, or whose token of Larder's is. */
  async sweep(isThere: (parent: string) => Promise<boolean>): Promise<void> {
    const { catalog, now } = this.#rooms;
    for (const { headers } of await catalog.list(sessionKey(''))) {
      const { id, parent, expires } = parsed(headers[HEADER]) ?? {};
      const isOver = expires !== undefined && !(Date.parse(expires) > now());
      if (id !== undefined && (isOver || !(await isThere(parent!)))) await catalog.delete(sessionKey(id));
    }
  }

  /** A pipeline that logs in every day logs out never. */
  async #makeRoom(parent: string): Promise<void> {
    const sessions = await this.list(parent);
    if (sessions.length < this.#most) return;
    const oldest = sessions.find(({ kind }) => kind === 'login');
    if (!oldest)
      throw new MirrorError('conflict', 'token', `there are ${this.#most} tokens of this login; revoke some`);
    await this.#rooms.catalog.delete(sessionKey(oldest.id));
  }

  async #read(id: string): Promise<Session | undefined> {
    return parsed((await this.#rooms.catalog.get(sessionKey(id), { fresh: true }))?.headers[HEADER]);
  }
}

function parsed(text: string | undefined): Session | undefined {
  return text === undefined ? undefined : sessionSchema.parse(JSON.parse(text));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import { secretOf } from '../../shared/http/access.ts';
import type { Action, Identity } from '../../shared/http/tokens.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NpmConfig } from './config.ts';
import { Sessions } from './sessions.ts';

/** Who asks, in npm's terms too. */
export interface NpmIdentity extends Identity {
  /** What `npm whoami` says: the name of the login, else the token's. */
  user: string;
  /** The id of what `npm login` or `npm token create` handed out, when that was sent. */
  session?: string;
}

type Rooms = Pick<Context<NpmConfig>, 'access' | 'catalog' | 'blobs' | 'now'>;

/**
 * Says who asks, and who may: Larder's tokens as Bearer or as the password of any user name (Basic), and what
 * `npm login` and `npm token create` made of them.
 */
export class NpmAccess {
  readonly #access: Rooms['access'];
  readonly sessions: Sessions;

  constructor(context: Rooms) {
    this.#access = context.access;
    this.sessions = new Sessions(context);
  }

  /** Lets a request on that may do `action` with packages; sets `req.identity`, to a NpmIdentity. */
  require(action: Action): RequestHandler {
    const plain = this.#access.require(action, 'npm');
    return async (req, res, next) => {
      const identity = await this.identify(req);
      const { authorization } = req.headers;
      // what the house knows nothing of has been looked at here
      if (identity?.session) delete req.headers.authorization;
      if (!identity?.session || !mayDo(identity, action)) {
        if (identity?.session && action !== 'read') throw forbidden(identity, action);
        await passed(plain, req, res);
      }
      if (authorization !== undefined) req.headers.authorization = authorization;
      req.identity = identity;
      next();
    };
  }

  /** Whether reading is open to all. */
  get anonymousRead(): boolean {
    return this.#access.anonymousRead;
  }

  /** Who sends this; undefined for nobody in particular. Throws `unauthorized` for a token that is none, or over. */
  async identify(req: IncomingMessage): Promise<NpmIdentity | undefined> {
    const { authorization } = req.headers;
    const secret = secretOf(authorization);
    if (secret === undefined) return undefined;
    const identity = await this.identifySecret(secret, req.socket.remoteAddress);
    if (!identity) throw new MirrorError('unauthorized', 'request', UNKNOWN);
    const user = identity.session ? undefined : basicUser(authorization!, secret);
    return user === undefined ? identity : { ...identity, user };
  }

  /** Whose secret this is; undefined when it is nobody's, revoked, expired, or not for this address. */
  async identifySecret(secret: string, address: string | undefined): Promise<NpmIdentity | undefined> {
    if (!Sessions.isSecret(secret)) {
      const identity = await this.#access.tokens.verify(secret);
      return identity && { ...identity, user: identity.name };
    }
    const session = await this.sessions.verify(secret);
    if (!session || !isFrom(session.cidr, address)) return undefined;
    const parent = await this.#access.tokens.byId(session.parent);
    if (!parent) return undefined;
    const actions = session.readonly ? parent.actions.filter((action) => action === 'read') : parent.actions;
    return { ...parent, actions, user: session.user, session: session.id };
  }
}

const UNKNOWN = 'the token is not known here: it is mistyped, expired or revoked; log in again';

/** Whether a token is for this. */
export function mayDo({ actions, services }: Identity, action: Action): boolean {
  const may = actions.includes(action) || actions.includes('admin');
  return may && (services.includes('*') || services.includes('npm'));
}

export function forbidden({ name, session }: NpmIdentity, action: Action): MirrorError {
  const which = session ? `this login, of the token "${name}",` : `the token "${name}"`;
  return new MirrorError('forbidden', 'request', `${which} may not ${action} in npm`);
}

/** Runs a guard of express by hand. */
async function passed(guard: RequestHandler, req: Request, res: Parameters<RequestHandler>[1]): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const ran = guard(req, res, (error?: unknown) => (error ? reject(error) : resolve())) as unknown;
    Promise.resolve(ran).catch(reject);
  });
}

/** The user name that stands before the token. */
function basicUser(authorization: string, secret: string): string | undefined {
  const [scheme, value = ''] = authorization.trim().split(/\s+/, 2);
  if (!/^basic$/i.test(scheme ?? '')) return undefined;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const user = pair.slice(0, pair.indexOf(':'));
  return user === '' || user === secret ? undefined : user;
}

/** Whether an address is in one of these networks: `10.0.0.0/8`, `fd00::/8`, `10.1.2.3`. */
function isFrom(cidr: readonly string[], address: string | undefined): boolean {
  if (cidr.length === 0) return true;
  const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
  if (isIP(plain) === 0) return false;
  const list = new BlockList();
  for (const one of cidr) addNetwork(list, one);
  return list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

/** Throws `bad-request` for what is no network. */
export function addNetwork(list: BlockList, text: string): void {
  const [network = '', bits] = text.split('/');
  const version = isIP(network);
  const most = version === 6 ? 128 : 32;
  const length = bits === undefined ? most : Number(bits);
  if (version === 0 || !/^\d*$/.test(bits ?? '') || length > most)
    throw new MirrorError('bad-request', 'token', `"${text.slice(0, 60)}" is no network; write 10.0.0.0/8`);
  list.addSubnet(network, length, version === 6 ? 'ipv6' : 'ipv4');
}

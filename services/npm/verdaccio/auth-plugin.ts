import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { MirrorError } from '../../../shared/model/errors.ts';
import { mayDo } from '../access.ts';
import type { Rooms } from '../rooms.ts';
import { answer, type Callback, units, verdaccioError } from './unit.ts';

/** A user as Verdaccio has one. */
interface RemoteUser {
  name?: string;
  groups: string[];
}

interface Makers {
  createAnonymousRemoteUser(): RemoteUser;
  createRemoteUser(name: string, groups: string[]): RemoteUser;
}

/** The group that says which token of Larder's a login of the web interface stands on. */
const BY = 'larder:';

/**
 * Who Verdaccio takes its users for: https://verdaccio.org/docs/plugin-auth. Requests that write were looked at before
 * Verdaccio had them. The web interface has tokens of Verdaccio's own, which name the token of Larder's that they were
 * got with: that is asked for at every use, so its end is theirs.
 */
export class AuthPlugin {
  readonly #rooms: Rooms;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
  }

  /** The login of the web interface: any user name, with a token as the password. */
  authenticate(_user: string, password: string, callback: Callback<string[]>): void {
    answer(this.#groups(String(password)), callback);
  }

  async #groups(password: string): Promise<string[]> {
    const identity = await this.#rooms.access.identifySecret(password, undefined);
    if (!identity)
      throw new MirrorError('unauthorized', 'login', 'the password is a token of Larder, and this is none');
    return [`${BY}${identity.id}`];
  }

  adduser(_user: string, _password: string, callback: Callback<boolean>): void {
    callback(verdaccioError(new MirrorError('forbidden', 'login', 'log in with a token of Larder as the password')));
  }

  allow_access(user: RemoteUser, _package: object, callback: Callback<boolean>): void {
    const allowed = this.#mayRead(user).then((may) => {
      if (!may) throw new MirrorError('forbidden', 'package', 'log in to see this');
      return may;
    });
    answer(allowed, callback);
  }

  async #mayRead({ groups }: RemoteUser): Promise<boolean> {
    if (this.#rooms.access.anonymousRead) return true;
    const identity = units.getStore()?.identity;
    if (identity) return mayDo(identity, 'read');
    const id = groups.find((group) => group.startsWith(BY))?.slice(BY.length);
    const by = id === undefined ? undefined : await this.#rooms.context.access.tokens.byId(id);
    return by !== undefined && mayDo(by, 'read');
  }

  allow_publish(_user: RemoteUser, _package: object, callback: Callback<boolean>): void {
    const identity = units.getStore()?.identity;
    const may = identity !== undefined && mayDo(identity, 'write');
    callback(may ? null : verdaccioError(new MirrorError('forbidden', 'package', 'this needs a token to write')), may);
  }

  allow_unpublish(user: RemoteUser, named: object, callback: Callback<boolean>): void {
    this.allow_publish(user, named, callback);
  }

  /** Who asks is known before Verdaccio has the request; its own tokens are for the web interface alone. */
  apiJWTmiddleware({ createAnonymousRemoteUser, createRemoteUser }: Makers): RequestHandler {
    return (req: Request & { remote_user?: RemoteUser }, res: Response, next: NextFunction) => {
      const user = units.getStore()?.identity?.user;
      req.remote_user = user === undefined ? createAnonymousRemoteUser() : createRemoteUser(user, []);
      res.locals.remote_user = req.remote_user;
      next();
    };
  }
}

import type { IncomingMessage } from 'node:http';
import type { Played } from './played.ts';

/** Who has a key at the test's NGC. */
export interface NgcAccount {
  /** `nvapi-…` is shown as it is; any other is changed into a token first. */
  key: string;
  /** Whose members they are; the first is their own. */
  orgs: string[];
  /** `org` → teams. */
  teams?: Record<string, string[]>;
  type?: 'PERSONAL_KEY' | 'SERVICE_KEY';
  name?: string;
}

interface Token {
  account: NgcAccount;
  until: number;
}

/** Keys, tokens, and what they tell of who has them (reference §2.2). */
export class NgcAccounts {
  readonly #accounts: readonly NgcAccount[];
  readonly #tokens = new Map<string, Token>();
  readonly #options: { tokenSeconds: number; now(): number };
  #given = 0;

  constructor(accounts: readonly NgcAccount[], options: { tokenSeconds: number; now(): number }) {
    this.#accounts = accounts;
    this.#options = options;
  }

  /** Who asks: undefined is a guest, `refused` somebody with a key or token that is none. */
  whoAsks(req: IncomingMessage): NgcAccount | 'refused' | undefined {
    const { authorization } = req.headers;
    if (authorization === undefined) return undefined;
    const shown = /^Bearer (.+)$/.exec(authorization)?.[1] ?? '';
    const keyed = shown.startsWith('nvapi-') ? this.#byKey(shown) : undefined;
    const token = this.#tokens.get(shown);
    if (token && token.until > this.#options.now()) return token.account;
    return keyed ?? 'refused';
  }

  /** Tokens that were given until now are none any more. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  /** `GET /token?service=ngc&scope=…` of the authn host: Basic with `$oauthtoken`, or ApiKey. */
  token(req: IncomingMessage): Played {
    const [scheme = '', shown = ''] = (req.headers.authorization ?? '').split(' ');
    const decoded = Buffer.from(shown, 'base64').toString();
    const basic = decoded.startsWith('$oauthtoken:') ? decoded.slice('$oauthtoken:'.length) : '';
    const key = scheme === 'Basic' ? basic : scheme === 'ApiKey' ? shown : '';
    const account = this.#byKey(key);
    if (!account) return json(401, { error: 'Unauthorized', message: 'Invalid apikey' });
    this.#given += 1;
    const token = `header.${Buffer.from(`${account.orgs[0]} ${this.#given}`).toString('base64url')}.signature`;
    this.#tokens.set(token, { account, until: this.#options.now() + this.#options.tokenSeconds * 1000 });
    return json(200, { token, expires_in: this.#options.tokenSeconds });
  }

  /** `POST /v3/keys/get-caller-info`, a form with `credentials`. */
  callerInfo(body: string): Played {
    const account = this.#byKey(new URLSearchParams(body).get('credentials') ?? '');
    if (!account) return refusal(401, 'UNAUTHORIZED', 'Invalid credentials');
    return json(200, {
      type: account.type ?? 'PERSONAL_KEY',
      orgName: account.orgs[0],
      userId: '1001',
      products: [],
      user: userOf(account),
    });
  }

  /** `/v2/users/me`, `/v2/orgs`, `/v2/orgs/{org}`, `/v2/org/{org}/teams`; undefined when it is another address. */
  about(path: string, account: NgcAccount | undefined): Played | undefined {
    const org = /^\/v2\/orgs?\/([^/]+)(\/teams)?$/.exec(path);
    if (path !== '/v2/users/me' && path !== '/v2/orgs' && !org) return undefined;
    if (!account) return refusal(401, 'UNAUTHORIZED', 'Authentication required');
    if (path === '/v2/users/me') {
      const user = userOf(account);
      return json(200, { requestStatus: SUCCESS, user, userRoles: user.roles });
    }
    const page = (size: number) => ({ index: 0, size: 1000, totalPages: 1, totalResults: size });
    if (path === '/v2/orgs') {
      const organizations = account.orgs.map(orgOf);
      return json(200, { requestStatus: SUCCESS, organizations, paginationInfo: page(organizations.length) });
    }
    if (!account.orgs.includes(org![1]!)) return refusal(403, 'FORBIDDEN', `No role in ${org![1]}`);
    if (!org![2]) return json(200, { requestStatus: SUCCESS, organizations: orgOf(org![1]!) });
    const teams = (account.teams?.[org![1]!] ?? []).map((name, id) => ({ id: id + 1, name, description: '' }));
    return json(200, { requestStatus: SUCCESS, teams, paginationInfo: page(teams.length) });
  }

  #byKey(key: string): NgcAccount | undefined {
    return this.#accounts.find((account) => account.key === key);
  }
}

const orgOf = (name: string) => ({ id: 1, name, displayName: name, type: 'ENTERPRISE' });

function userOf({ name = 'tester', orgs, teams }: NgcAccount) {
  const roles = orgs.flatMap((org) => [
    { org: { name: org, displayName: org }, orgRoles: ['REGISTRY_READ', 'USER'] },
    ...(teams?.[org] ?? []).map((team) => ({ org: { name: org }, team: { name: team }, teamRoles: ['REGISTRY_READ'] })),
  ]);
  return { id: 1001, name, email: `${name}@example.com`, roles };
}

export const SUCCESS = { statusCode: 'SUCCESS', requestId: 'a-request-of-the-test' };

export function json(status: number, value: unknown): Played {
  return { status, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(value)) };
}

/** NGC's shape of a no. */
export function refusal(status: number, statusCode: string, statusDescription: string): Played {
  return json(status, { requestStatus: { statusCode, statusDescription, requestId: SUCCESS.requestId } });
}

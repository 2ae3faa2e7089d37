import type { Tokens } from '../../shared/http/tokens.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { textIn } from '../../shared/upstream/origin-settings.ts';
import type { KeyConfig, S3Config } from './config.ts';

/** Who signs with a key. */
export interface Signer {
  id: string;
  name: string;
  may(action: 'read' | 'write', bucket: string): boolean;
}

/** `lrd_1a2b3c4d`: the access key of a token. */
const OF_TOKEN = /^lrd_([a-z0-9]{8})$/;

/** `team-*` as a pattern. */
export function patternOf(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
}

/** Access keys and their secrets: those of the settings, and those of tokens, whose secrets are the store's to work out. */
export class KeyRing {
  readonly #own: Map<string, { secret: string; signer: Signer }>;
  readonly #tokens: Pick<Tokens, 'byId'>;
  readonly #grants: Context<S3Config>['grants'];

  /** Throws, naming the setting, for a secret that cannot be read. */
  constructor({ config, access, grants }: Pick<Context<S3Config>, 'config' | 'access' | 'grants'>) {
    this.#own = new Map(config.keys.map((key) => [key.accessKeyId, { secret: secretIn(key), signer: signerOf(key) }]));
    this.#tokens = access.tokens;
    this.#grants = grants;
  }

  async secretOf(accessKeyId: string): Promise<string | undefined> {
    const own = this.#own.get(accessKeyId);
    if (own) return own.secret;
    return (await this.#identityOf(accessKeyId)) ? this.#grants.secretFor(`s3 ${accessKeyId}`) : undefined;
  }

  async signerOf(accessKeyId: string): Promise<Signer> {
    const own = this.#own.get(accessKeyId);
    if (own) return own.signer;
    const identity = await this.#identityOf(accessKeyId);
    const { id, name, actions = [], services = [] } = identity ?? { id: accessKeyId, name: accessKeyId };
    const isForUs = services.includes('*') || services.includes('s3');
    return { id, name, may: (action) => isForUs && (actions.includes(action) || actions.includes('admin')) };
  }

  async #identityOf(accessKeyId: string) {
    const [, id] = OF_TOKEN.exec(accessKeyId) ?? [];
    return id === undefined ? undefined : this.#tokens.byId(id);
  }
}

function signerOf({ accessKeyId, actions, buckets }: KeyConfig): Signer {
  const patterns = buckets.map(patternOf);
  // the list of buckets is nobody's own: whoever may read at all may ask for it, and is shown what it is for
  const isFor = (bucket: string) => bucket === '' || patterns.length === 0 || patterns.some((one) => one.test(bucket));
  const name = accessKeyId.slice(0, 40);
  return { id: name, name, may: (action, bucket) => actions.includes(action) && isFor(bucket) };
}

function secretIn({ accessKeyId, secretAccessKey, secretAccessKeyFile }: KeyConfig): string {
  const told = `of ${accessKeyId.slice(0, 40)} in s3.keys`;
  const secret = secretAccessKey ?? textIn(secretAccessKeyFile, `secretAccessKeyFile ${told}`);
  if (secret !== undefined) return secret;
  throw new MirrorError('bad-request', 'settings', `secretAccessKey or secretAccessKeyFile ${told} has to be set`);
}

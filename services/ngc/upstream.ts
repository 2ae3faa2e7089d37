import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { withAllowList } from '../../shared/upstream/allow-list.ts';
import type { Answer } from '../../shared/upstream/answers.ts';
import { httpFacts } from '../../shared/upstream/answers.ts';
import type { HttpOrigins } from '../../shared/upstream/http-upstream.ts';
import type { OriginDescription } from '../../shared/upstream/origin.ts';
import { textIn } from '../../shared/upstream/origin-settings.ts';
import type { Upstream } from '../../shared/upstream/upstream.ts';
import type { NgcConfig } from './config.ts';
import { matchesAny } from './glob.ts';
import { withDocuments } from './origin-documents.ts';
import { withFiles } from './origin-files.ts';
import { withToken } from './origin-token.ts';
import { policyOf } from './policy.ts';
import { AUTH_ORIGIN, ORIGIN } from './refs.ts';

/** How NGC is asked: with the site's key or as a guest, lists page by page, files wherever its addresses lead. */
export function ngcUpstream(config: NgcConfig, http: HttpOrigins): Upstream {
  const key = config.apiKey ?? textOf(config, 'apiKeyFile');
  const ca = textOf(config, 'caFile');
  const shared = { ca: ca ? [ca] : [] };
  const catalog = catalogOf(config, shared);
  const auth = authOf(config, key, shared);
  const asked = http([catalog, auth]);
  const policy = policyOf(config);
  const keyed = withToken(asked, { config, key, catalog });
  const mirrored = withDocuments(withFiles(keyed, config, key !== undefined));
  return withAllowList(mirrored, (ref) => policy.refusesKey(ref.key));
}

function catalogOf(config: NgcConfig, shared: { ca: string[] }): OriginDescription {
  const { host, hostname } = new URL(config.origin);
  return {
    ...shared,
    name: ORIGIN,
    hosts: (asked) => asked === host || asked.replace(/:\d+$/, '') === hostname || matchesAny(asked, config.fileHosts),
    credentialHosts: [host],
    compressed: (ref) => !isFile(ref),
    facts: (answer, ref) => {
      const { facts, promised } = httpFacts(answer);
      // a list that was joined or coded has another length than its pages
      return isFile(ref) ? { facts, promised } : { facts: { ...facts, mediaType: 'application/json' }, promised };
    },
    refusal: (answer, ref) => refusalOf(answer, ref, host),
  };
}

function authOf(config: NgcConfig, key: string | undefined, shared: { ca: string[] }): OriginDescription {
  const { host } = new URL(config.authOrigin);
  return {
    ...shared,
    name: AUTH_ORIGIN,
    hosts: (asked) => asked === host,
    credentials: key === undefined ? undefined : { username: '$oauthtoken', password: key },
    credentialHosts: [host],
    absent: [],
    refusal: ({ status }, ref) => {
      if (status >= 500 || status === 429) return undefined;
      const message = `${host} gives this mirror no token for its key (${status}); see ngc.apiKey and ngc.org`;
      return new MirrorError('upstream-denied', ref.subject, message, { originStatus: 401 });
    },
  };
}

const isFile = ({ key }: Ref) => key.startsWith('file/');

/** What NGC means by a refusal is passed on as it is, and never worked around; its file hosts only know addresses. */
function refusalOf(answer: Answer, ref: Ref, host: string): MirrorError | undefined {
  const { status, url } = answer;
  if (status < 500 && status !== 429 && new URL(url).host !== host) {
    const message = `the file host ${new URL(url).host} answered ${status} to an address that NGC gave for ${ref.label}`;
    return new MirrorError('upstream-failed', ref.subject, message, { originStatus: status });
  }
  const why = WORDS[status];
  if (why === undefined) return undefined;
  return new MirrorError('upstream-denied', ref.subject, `NGC refuses ${ref.label} to this mirror: ${why}`, {
    originStatus: status,
  });
}

const WORDS: Record<number, string> = {
  400: 'it does not take the question, as it answers those who lack an org or a key (400); see ngc.apiKey and ngc.org',
  401: 'it wants a key that is right (401); see ngc.apiKey and ngc.org',
  402: 'it wants a subscription (402)',
  403: "the mirror's key, or a guest, may not have it (403)",
  412: "its licence terms have to be accepted first (412): accept them on NGC's own pages with the account of the mirror's key",
  451: 'it is not given here for legal reasons (451)',
};

/** Throws `bad-request` for a file that cannot be read, or is empty. */
function textOf(config: NgcConfig, key: 'apiKeyFile' | 'caFile'): string | undefined {
  const text = textIn(config[key], `ngc.${key}`);
  if (text === '') throw new MirrorError('bad-request', 'settings', `the file that ngc.${key} names is empty`);
  return text;
}

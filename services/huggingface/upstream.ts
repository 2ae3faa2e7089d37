import type { Promised } from '../../shared/model/digest.ts';
import type { Facts } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { withAllowList } from '../../shared/upstream/allow-list.ts';
import { type Answer, httpFacts } from '../../shared/upstream/answers.ts';
import type { HttpOrigins } from '../../shared/upstream/http-upstream.ts';
import type { OriginDescription } from '../../shared/upstream/origin.ts';
import { textIn } from '../../shared/upstream/origin-settings.ts';
import type { Upstream } from '../../shared/upstream/upstream.ts';
import type { HuggingfaceConfig } from './config.ts';
import { DISABLED, type HubCode, HubError } from './errors.ts';
import { withPages } from './pages.ts';
import { withParts } from './parts.ts';
import { policyOf } from './policy.ts';
import { ORIGIN } from './refs.ts';
import { globRegExp } from './repo.ts';

/** How the hub is asked: its API page by page, large files part by part, and what its refusals mean. */
export function hubUpstream(config: HuggingfaceConfig, http: HttpOrigins): Upstream {
  const asked = http([descriptionOf(config)]);
  const policy = policyOf(config);
  return withAllowList(withPages(withParts(asked, config.partBytes)), (ref) => policy.refusesSource(ref.source));
}

function descriptionOf(config: HuggingfaceConfig): OriginDescription {
  const { host, hostname } = new URL(config.origin);
  const fileHosts = config.fileHosts.map(globRegExp);
  const token = config.token ?? textIn(config.tokenFile, 'huggingface.tokenFile');
  const ca = textIn(config.caFile, 'huggingface.caFile');
  return {
    name: ORIGIN,
    hosts: (asked) =>
      asked === host || asked.replace(/:\d+$/, '') === hostname || fileHosts.some((one) => one.test(asked)),
    credentials: token ? { token } : undefined,
    credentialHosts: [host],
    ca: ca ? [ca] : [],
    compressed: (ref) => !isFile(ref),
    facts: factsOf,
    refusal: (answer, ref) => refusalOf(answer, ref, host),
  };
}

const isFile = ({ key }: Ref) => /^(lfs|git|head)\//.test(key);

/** What a file is stands on the hop that names it (`X-Linked-*`, `X-Repo-Commit`); its bytes come from the last one. */
function factsOf(answer: Answer, ref: Ref): { facts: Facts; promised?: Promised } {
  const { facts, promised } = httpFacts(answer);
  const link = answer.headers.link;
  if (!isFile(ref)) return { facts: { ...facts, headers: link ? { link } : {} }, promised };
  const hop = answer.hops.find(({ headers }) => headers['x-linked-size'] ?? headers['x-repo-commit'])?.headers ?? {};
  const linked = hop['x-linked-size'];
  const size = linked !== undefined && /^\d+$/.test(linked) ? Number(linked) : facts.size;
  const commit = hop['x-repo-commit'];
  if (!ref.key.startsWith('head/')) return { facts: { ...facts, size, headers: {} }, promised: { size } };
  const etag = hop['x-linked-etag'] ?? facts.etag;
  return { facts: { ...facts, size, etag, headers: commit ? { 'x-repo-commit': commit } : {} }, promised: { size } };
}

/** The hub answers 401 for what does not exist, and tells the two apart in a field of its own. */
function refusalOf(answer: Answer, ref: Ref, host: string): MirrorError | 'absent' | undefined {
  const { status, headers, url } = answer;
  const code = headers['x-error-code'];
  const message = headers['x-error-message'];
  if (code === 'RepoNotFound' || code === 'RevisionNotFound' || code === 'EntryNotFound') return 'absent';
  if (code === 'GatedRepo' || message === DISABLED) {
    const details = { originStatus: status, status: status === 401 ? 401 : 403, code: code as HubCode | undefined };
    return new HubError(
      'upstream-denied',
      ref.subject,
      message ?? `access to ${ref.label} is restricted at the hub`,
      details,
    );
  }
  // an address that a file host no longer takes is to be asked for again, and says nothing of who may have it
  if ((status === 401 || status === 403) && new URL(url).host !== host) {
    return new MirrorError('upstream-failed', ref.subject, `the hub's file host answered ${status}`, {
      originStatus: status,
    });
  }
  return undefined;
}

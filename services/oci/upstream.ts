import type { Promised } from '../../shared/model/digest.ts';
import type { Facts } from '../../shared/model/entry.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { withAllowList } from '../../shared/upstream/allow-list.ts';
import { type Answer, httpFacts } from '../../shared/upstream/answers.ts';
import { type Credentials, shownUrl } from '../../shared/upstream/credentials.ts';
import type { HttpOrigins } from '../../shared/upstream/http-upstream.ts';
import type { OriginDescription } from '../../shared/upstream/origin.ts';
import { textIn } from '../../shared/upstream/origin-settings.ts';
import type { Upstream } from '../../shared/upstream/upstream.ts';
import type { OciConfig } from './config.ts';
import { isDigest, promisedBy } from './digests.ts';
import { type Login, readDockerConfig } from './docker-config.ts';
import { withHeads } from './heads.ts';
import type { RateLimits } from './rate-limits.ts';
import { Registries, type Registry } from './registries.ts';
import { patternOf } from './repository-name.ts';

/** How registries are asked: tokens where they want them, HEAD before GET for what moves. */
export function ociUpstream(config: OciConfig, limits: RateLimits, http: HttpOrigins): Upstream {
  const { list } = new Registries(config);
  const logins = config.dockerConfig ? readDockerConfig(config.dockerConfig) : new Map<string, Login>();
  const asked = http(list.map((registry) => descriptionOf(registry, logins, limits)));
  const policies = new Map(list.map((registry) => [registry.name, policyOf(registry)]));
  return withAllowList(withHeads(asked), (ref) => policies.get(ref.origin)?.(ref));
}

function descriptionOf(registry: Registry, logins: ReadonlyMap<string, Login>, limits: RateLimits): OriginDescription {
  const { host, hostname } = new URL(registry.url);
  const files = [...registry.fileHosts, ...registry.authHosts].map(patternOf);
  const ca = textIn(registry.config.caFile, `caFile of ${registry.name} in oci.registries`);
  const login = loginFor(registry, logins) ?? {};
  return {
    name: registry.name,
    hosts: (asked) => asked === host || asked.replace(/:\d+$/, '') === hostname || files.some((one) => one.test(asked)),
    credentials: credentialsOf(registry) ?? login.credentials,
    credentialHosts: [host, ...registry.authHosts],
    tokens: { scope: scopeOf, refreshToken: login.refreshToken },
    ca: ca ? [ca] : [],
    facts(answer, ref) {
      limits.read(registry.name, answer.headers);
      return factsOf(answer, ref);
    },
    refusal(answer, ref) {
      limits.read(registry.name, answer.headers);
      return refusalOf(answer, ref, registry, host);
    },
  };
}

/** `repository:library/busybox:pull`: what every question to a registry needs a token for. */
function scopeOf({ source }: Ref): string {
  const name = /\/v2\/(.+?)\/(?:manifests|blobs|tags|referrers)\/[^/]+$/.exec(new URL(source).pathname)?.[1];
  return `repository:${name ?? ''}:pull`;
}

const isManifest = ({ key }: Ref) => /^(tag|manifest)\//.test(key);

/** A manifest's digest stands on the hop that named it, or on the last one; of a blob only its length is believed. */
function factsOf(answer: Answer, ref: Ref): { facts: Facts; promised?: Promised } {
  const { facts, promised } = httpFacts(answer);
  if (ref.key.startsWith('blob/')) return { facts: { ...ref.ifHeld!, size: facts.size }, promised };
  if (!isManifest(ref)) {
    const { link } = answer.headers;
    return { facts: { ...facts, headers: link ? { link } : {} }, promised };
  }
  const told = answer.hops.map(({ headers }) => headers['docker-content-digest']).findLast(Boolean);
  const mediaType = facts.mediaType.split(';')[0]!.trim();
  // one that was asked for by its digest has that digest, whatever other one its origin calls it by
  if (!told || !isDigest(told) || ref.promised) return { facts: { ...facts, mediaType }, promised };
  return { facts: { ...facts, mediaType, etag: `"${told}"` }, promised: { ...promised, ...promisedBy(told) } };
}

/** What a refusal means: registries say 401 and 403 of what does not exist, too, and do not tell the two apart. */
function refusalOf(answer: Answer, ref: Ref, registry: Registry, host: string): MirrorError | 'absent' | undefined {
  const { status, url } = answer;
  if (ref.subject === 'referrers' && [400, 401, 403, 405, 501].includes(status)) return 'absent';
  if (status !== 401 && status !== 403) return undefined;
  const elsewhere = new URL(url).host !== host;
  const message = elsewhere
    ? `${shownUrl(url)}, where ${registry.name} sent the mirror for its bytes, answered ${status}`
    : `${registry.name} refused ${ref.label} to the mirror (${status}): it does not exist there, or needs credentials; oci.registries or oci.dockerConfig name them`;
  return new MirrorError(elsewhere ? 'upstream-failed' : 'upstream-denied', ref.subject, message, {
    originStatus: elsewhere ? 502 : status,
  });
}

function credentialsOf(registry: Registry): Credentials | undefined {
  const { username, password, passwordFile } = registry.config;
  const secret = password ?? textIn(passwordFile, `passwordFile of ${registry.name} in oci.registries`);
  if (secret === undefined) return undefined;
  // NGC's keys go with a user of this name, and nobody remembers it
  return { username: username ?? '$oauthtoken', password: secret };
}

function loginFor(registry: Registry, logins: ReadonlyMap<string, Login>): Login | undefined {
  const names = [registry.name, ...registry.aliases, new URL(registry.url).host];
  return names.map((name) => logins.get(name)).find(Boolean);
}

/** Which repositories of a registry are asked for at all. */
function policyOf({ name, config }: Registry): (ref: Ref) => string | undefined {
  const allow = config.allow.map(patternOf);
  const deny = config.deny.map(patternOf);
  return ({ source }) => {
    const repository = /\/v2\/(.+?)\/(?:manifests|blobs|tags|referrers)\//.exec(source)?.[1] ?? '';
    if (deny.some((one) => one.test(repository))) return `${name}/${repository} is denied here (oci.registries, deny)`;
    if (allow.length > 0 && !allow.some((one) => one.test(repository)))
      return `${name}/${repository} is not allowed here (oci.registries, allow)`;
    return undefined;
  };
}

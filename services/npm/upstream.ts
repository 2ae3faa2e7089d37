import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { type Answer, httpFacts } from '../../shared/upstream/answers.ts';
import { shownUrl } from '../../shared/upstream/credentials.ts';
import type { HttpOrigins } from '../../shared/upstream/http-upstream.ts';
import { lateOrigins } from '../../shared/upstream/late-origins.ts';
import type { OriginDescription } from '../../shared/upstream/origin.ts';
import type { Upstream } from '../../shared/upstream/upstream.ts';
import type { Origin, Origins } from './origins.ts';

/**
 * How registries are asked: documents compressed, from the registry's own host; tarballs as they are, from the hosts
 * that its packuments name. The origins are known only when npm has told them, so the asker is made at the first question.
 */
export function npmUpstream(origins: Origins, http: HttpOrigins): Upstream {
  const make = async () => http((await origins.list()).map(descriptionOf));
  return lateOrigins(make, () => origins.close());
}

function descriptionOf(origin: Origin): OriginDescription {
  const { host } = new URL(origin.url);
  const isTarball = (ref: Ref) => ref.key.startsWith('tarball/');
  const mayHaveFiles = (asked: string) => origin.fileHosts?.includes(asked) ?? origin.learnedHosts.has(asked);
  return {
    name: origin.name,
    hosts: (asked, ref) => asked === host || (isTarball(ref) && mayHaveFiles(asked)),
    credentials: origin.credentials,
    credentialHosts: [host],
    ca: origin.ca,
    compressed: (ref) => !isTarball(ref),
    // a registry without audits says so in many ways
    refusal: ({ status }, ref) => (ref.posted && [405, 500, 501].includes(status) ? 'absent' : undefined),
    facts(answer, ref) {
      const { facts, promised } = httpFacts(answer);
      if (!isTarball(ref) && /^text\/html\b/i.test(facts.mediaType)) throw noDocument(answer, ref);
      return { facts: { ...facts, mediaType: ref.ifHeld?.mediaType ?? facts.mediaType }, promised };
    },
  };
}

/** A login page, or one of a proxy that stands between: it must not take the place of the document that is held. */
function noDocument({ url, body }: Answer, { subject }: Ref): MirrorError {
  body.destroy();
  const message = `${shownUrl(url)} answered with a page for people where a registry has a document`;
  return new MirrorError('upstream-failed', subject, message);
}

import type { Ref } from '../../shared/model/ref.ts';
import { httpFacts } from '../../shared/upstream/answers.ts';
import type { HttpOrigins } from '../../shared/upstream/http-upstream.ts';
import { lateOrigins } from '../../shared/upstream/late-origins.ts';
import type { OriginDescription } from '../../shared/upstream/origin.ts';
import type { Upstream } from '../../shared/upstream/upstream.ts';
import type { Origin, Origins } from './origins.ts';

/**
 * How indexes are asked: pages compressed, from the index's own host; files as they are, from the hosts that its pages
 * link to. The origins are known only when pip has told them, so the asker is made at the first question.
 */
export function pypiUpstream(origins: Origins, http: HttpOrigins): Upstream {
  const make = async () => http((await origins.list()).map(descriptionOf));
  return lateOrigins(make, () => origins.close());
}

function descriptionOf(origin: Origin): OriginDescription {
  const { host } = new URL(origin.url);
  const isPage = (ref: Ref) => ref.key.startsWith('index/');
  return {
    name: origin.name,
    hosts: (asked) => asked === host || (origin.fileHosts?.includes(asked) ?? origin.learnedHosts.has(asked)),
    credentials: origin.credentials,
    credentialHosts: [host],
    ca: origin.ca,
    // PyTorch's store says 403 for what it does not have
    absent: origin.kind === 'pytorch' ? [403, 404, 410] : [404, 410],
    compressed: isPage,
    facts(answer, ref) {
      const known = httpFacts(answer);
      const serial = answer.headers['x-pypi-last-serial'];
      if (!isPage(ref))
        return {
          facts: { ...known.facts, mediaType: ref.ifHeld?.mediaType ?? known.facts.mediaType },
          promised: known.promised,
        };
      // links are relative to where the page came from in the end; a query may hold a signature, and is nobody's business
      const headers = {
        'x-larder-url': answer.url.split(/[?#]/, 1)[0]!,
        ...(serial ? { 'x-pypi-last-serial': serial } : {}),
      };
      return { facts: { ...known.facts, headers }, promised: known.promised };
    },
  };
}

import { describe, expect, test } from 'vitest';
import { artifact, type Descriptor, INDEX, image, index } from './content.ts';
import type { Use } from './site.ts';

/** spec.md#listing-referrers and spec.md#unavailable-referrers-api, of what is at another registry */
export function proxiedReferrerConformance(use: Use): void {
  let names = 0;
  const remote = () => {
    names += 1;
    return `proxied/referrers-${names}`;
  };
  const listOf = (repository: string, digest: string, query = '') =>
    use().anybody.get(`/v2/nvcr.io/${repository}/referrers/${digest}${query}`);
  const referrersOf = async (repository: string, digest: string) =>
    (await listOf(repository, digest)).json<{ manifests: Descriptor[] }>().manifests.map((one) => one.digest);

  describe('referrers of what another registry has', () => {
    const subject = image();
    const [one, two, three] = [
      artifact(subject.descriptor),
      artifact(subject.descriptor),
      artifact(subject.descriptor),
    ];
    const offerList = (path: string, manifests: Descriptor[], link?: string) =>
      use().origin.set(path, { ...asIndex(manifests), headers: link ? { link: `<${link}>; rel="next"` } : {} });
    const asIndex = (manifests: Descriptor[]) => ({ body: index(manifests).bytes, type: INDEX });

    // "A `Link` header MUST be included … when the descriptor list cannot be returned in a single manifest."
    test('are those that it lists, on all of its pages', async () => {
      const name = remote();
      const path = `/v2/${name}/referrers/${subject.digest}`;
      offerList(path, [one.descriptor], `${path}?page=2`);
      offerList(`${path}?page=2`, [two.descriptor]);
      expect((await referrersOf(name, subject.digest)).sort()).toEqual([one.digest, two.digest].sort());
    });

    // "A client querying the referrers API and receiving a `404 Not Found` MUST fallback to using an image index pushed to
    // a tag described by the referrers tag schema."
    test('are those in its fallback tag, where it lists none', async () => {
      const name = remote();
      use().origin.set(`/v2/${name}/manifests/${subject.digest.replace(':', '-')}`, asIndex([three.descriptor]));
      expect(await referrersOf(name, subject.digest)).toEqual([three.digest]);
    });

    test('are filtered here, where it does not', async () => {
      const name = remote();
      const typed = { ...one.descriptor, artifactType: 'application/vnd.example.sbom' };
      offerList(`/v2/${name}/referrers/${subject.digest}`, [typed, two.descriptor]);
      const answer = await listOf(name, subject.digest, `?artifactType=${typed.artifactType}`);
      expect(answer.headers['oci-filters-applied']).toBe('artifactType');
      expect(answer.json<{ manifests: Descriptor[] }>().manifests).toEqual([typed]);
    });

    test('are none, and no 404, where it has neither', async () => {
      const answer = await listOf(remote(), subject.digest);
      expect([answer.status, answer.json<{ manifests: object[] }>().manifests]).toEqual([200, []]);
    });
  });
}

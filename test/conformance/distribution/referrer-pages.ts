import { describe, expect, test } from 'vitest';
import { artifact, type Content, type Descriptor, INDEX, image } from './content.ts';
import { type Answer, newName, nextOf } from './registry.ts';
import type { Use } from './site.ts';

const SBOM = 'application/vnd.example.sbom.v1';

/** spec.md#listing-referrers, where there are many */
export function referrerPageConformance(use: Use): void {
  const name = newName('pages');
  const descriptorsIn = ({ json }: Answer) => json<{ manifests: Descriptor[] }>().manifests;
  const digestsIn = (found: Answer[]) =>
    found.flatMap((page) => descriptorsIn(page).map(({ digest }) => digest)).sort();
  const digestsOf = (contents: Content[]) => contents.map(({ digest }) => digest).sort();
  /** The pages from an address on, as a client reads them. */
  const pages = async (path: string, found: Answer[] = []): Promise<Answer[]> => {
    const answer = await use().anybody.get(path);
    const next = nextOf(answer);
    return next === undefined ? [...found, answer] : pages(next, [...found, answer]);
  };
  /** Something with so many referrers, each with these fields. @returns its list's address, and the referrers */
  const attach = async (count: number, more: object = {}): Promise<[string, Content[]]> => {
    const subject = image();
    await use().writer.push(name, subject);
    const attached = Array.from({ length: count }, () => artifact(subject.descriptor, more));
    for (const one of attached) await use().writer.push(name, one);
    return [`/v2/${name}/referrers/${subject.digest}`, attached];
  };

  // "A `Link` header MUST be included in the response when the descriptor list cannot be returned in a single manifest.
  // Each response is an image index with different descriptors in the `manifests` field. The `Link` header MUST be set
  // according to RFC 5988 with the Relation Type `rel="next"`."
  describe('a long list of referrers', () => {
    test('comes in pages, each referrer once, all of them filtered', async () => {
      const [path, attached] = await attach(7, { artifactType: SBOM });
      const found = await pages(`${path}?n=3&artifactType=${SBOM}`);
      for (const { headers } of found)
        expect([headers['content-type'], headers['oci-filters-applied']]).toEqual([INDEX, 'artifactType']);
      expect(found.map((page) => descriptorsIn(page).length)).toEqual([3, 3, 1]);
      expect(digestsIn(found)).toEqual(digestsOf(attached));
    });

    test('comes in pages of no more than clients read of a manifest, 4 MiB', async () => {
      const [path, attached] = await attach(3, { annotations: { long: 'x'.repeat(2 << 20) } });
      const found = await pages(path);
      expect(Math.max(...found.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(4 << 20);
      expect(digestsIn(found)).toEqual(digestsOf(attached));
    });

    test('goes on behind one that was deleted in between, and gives none twice', async () => {
      const [path, attached] = await attach(6);
      const first = await use().anybody.get(`${path}?n=2`);
      const { digest } = descriptorsIn(first).at(-1)!;
      await use().writer.ask('DELETE', `/v2/${name}/manifests/${digest}`);
      expect(digestsIn([first, ...(await pages(nextOf(first)!))])).toEqual(digestsOf(attached));
    });
  });
}

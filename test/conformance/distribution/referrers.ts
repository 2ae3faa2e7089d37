import { beforeAll, describe, expect, test } from 'vitest';
import {
  absent,
  artifact,
  CONFIG,
  type Content,
  type Descriptor,
  digestOf,
  fresh,
  INDEX,
  image,
  index,
  MANIFEST,
  manifestOf,
} from './content.ts';
import { type Answer, newName, refusal } from './registry.ts';
import type { Use } from './site.ts';

const SBOM = 'application/vnd.example.sbom.v1';
const SIGNATURE = 'application/vnd.example.signature.v1';

/** spec.md#pushing-manifests-with-subject, spec.md#listing-referrers, spec.md#enabling-the-referrers-api */
export function referrerConformance(use: Use): void {
  const name = newName('referrers');
  const list = (digest: string, query = '', repository = name) =>
    use().anybody.get(`/v2/${repository}/referrers/${digest}${query}`);
  const descriptorsIn = ({ json }: Answer) => json<{ manifests: Descriptor[] }>().manifests;
  const listed = async (digest: string, query = '', repository = name) =>
    descriptorsIn(await list(digest, query, repository));
  const push = (content: Content, reference = content.digest) => use().writer.push(name, content, reference);
  const by = (one: { digest: string }, other: { digest: string }) => (one.digest < other.digest ? -1 : 1);

  describe('a manifest with a subject', () => {
    // "a registry implementation that supports the referrers API MUST respond with the response header `OCI-Subject:
    // <subject digest>`"
    test.each<[string, () => [Content, string]]>([
      ['an image', () => withSubject((subject) => image({ subject }))],
      ['an artifact', () => withSubject((subject) => artifact(subject, { artifactType: SBOM }))],
      ['an index', () => withSubject((subject) => index([], { subject }))],
      ['an image whose subject is called by its sha512', () => withSubject((subject) => image({ subject }), 'sha512')],
    ])('is answered with OCI-Subject, before its subject is there: %s', async (_what, make) => {
      const [content, subject] = make();
      for (const reference of [content.digest, 'attached']) {
        // "A registry MUST initially accept an otherwise valid manifest with a `subject` field that references a manifest
        // that does not exist in the repository"
        const answer = await push(content, reference);
        expect([answer.status, answer.headers['oci-subject']]).toEqual([201, subject]);
      }
      expect((await listed(subject)).map(({ digest }) => digest)).toEqual([content.digest]);
    });

    test('is not answered so when it has none', async () => {
      expect((await push(image())).headers['oci-subject']).toBeUndefined();
    });
  });

  describe('the list of referrers', () => {
    const subject = image();
    const annotations = {
      'org.opencontainers.image.created': '2026-11-24T12:00:00Z',
      'org.example.text': 'é, "quoted"\n',
    };
    const typed = artifact(subject.descriptor, { artifactType: SBOM, annotations });
    const untyped = image({ subject: subject.descriptor });
    const empty = image({ subject: subject.descriptor, artifactType: '' });
    const set = index([], { subject: subject.descriptor, annotations: { set: 'yes' } });
    const typedSet = index([], { subject: subject.descriptor, artifactType: SIGNATURE });
    const all = [typed, untyped, empty, set, typedSet];

    beforeAll(async () => {
      for (const content of [subject, ...all]) await push(content);
      await push(artifact(image().descriptor));
    });

    // "this request MUST return a `200 OK` … The `Content-Type` header MUST be set to
    // `application/vnd.oci.image.index.v1+json`." "the response MUST be a JSON body with an image index"
    test('is an image index of all that have the subject, and of nothing else', async () => {
      const answer = await list(subject.digest);
      expect([answer.status, answer.headers['content-type']]).toEqual([200, INDEX]);
      expect(answer.json()).toMatchObject({ schemaVersion: 2, mediaType: INDEX });
      expect(
        descriptorsIn(answer)
          .map(({ digest }) => digest)
          .sort(),
      ).toEqual(all.map(({ digest }) => digest).sort());
    });

    // "MUST include an `artifactType` field that is set to the value of the `artifactType` in the image manifest or
    // index, if present. If … empty or missing in the image manifest, … the config descriptor `mediaType` value. If …
    // missing in an index, the `artifactType` MUST be omitted. The descriptors MUST include annotations"
    test('describes each with its type, its annotations, its size and what it is', async () => {
      const expected = [
        { ...typed.descriptor, artifactType: SBOM, annotations },
        { ...untyped.descriptor, artifactType: CONFIG },
        { ...empty.descriptor, artifactType: CONFIG },
        { ...set.descriptor, annotations: { set: 'yes' } },
        { ...typedSet.descriptor, artifactType: SIGNATURE },
      ];
      expect((await listed(subject.digest)).sort(by)).toEqual(expected.sort(by));
    });

    // "If filtering is requested and applied, the response MUST include a header `OCI-Filters-Applied: artifactType`"
    test.each([
      [SBOM, [typed]],
      [CONFIG, [untyped, empty]],
      [SIGNATURE, [typedSet]],
      ['application/vnd.example.none', []],
    ])('is filtered by the type of artifact, and says so: %s', async (type, expected) => {
      const answer = await list(subject.digest, `?artifactType=${encodeURIComponent(type)}`);
      expect([answer.status, answer.headers['oci-filters-applied']]).toEqual([200, 'artifactType']);
      expect(
        descriptorsIn(answer)
          .map(({ digest }) => digest)
          .sort(),
      ).toEqual(expected.map(({ digest }) => digest).sort());
    });

    test('does not say that it was filtered when it was not', async () => {
      expect((await list(subject.digest)).headers['oci-filters-applied']).toBeUndefined();
    });

    // "If a query results in no matching referrers, an empty manifest list MUST be returned." "the registry MUST NOT
    // return a `404 Not Found` to a referrers API requests."
    test.each<[string, string, string]>([
      ['a manifest that has none', typed.digest, name],
      ['a manifest that is nowhere', absent(), name],
      ['a manifest that is nowhere, by sha512', absent('sha512'), name],
      ['a manifest of another repository', subject.digest, newName('other')],
      ['a repository that is nowhere', absent(), newName('nowhere')],
    ])('is empty, and never 404: %s', async (_what, digest, repository) => {
      const answer = await list(digest, '', repository);
      expect([answer.status, answer.headers['content-type']]).toEqual([200, INDEX]);
      expect(answer.json()).toEqual({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
    });

    // "If the request is invalid, such as a `<digest>` with an invalid syntax, a `400 Bad Request` MUST be returned."
    test.each([
      'sha256:bad',
      `sha256:${'G'.repeat(64)}`,
      `sha256:${'a'.repeat(65)}`,
      'latest',
      `md5:${'a'.repeat(32)}`,
    ])('is refused for what is no digest: %s', async (digest) => {
      expect(refusal(await list(digest))).toEqual([400, 'DIGEST_INVALID']);
    });

    test('has one that is pushed twice, by twenty clients at once, once', async () => {
      const busy = image();
      const attached = Array.from({ length: 10 }, () => artifact(busy.descriptor));
      await push(attached[0]!);
      await Promise.all([...attached, ...attached].map((one) => use().writer.put(name, one.digest, one)));
      expect((await listed(busy.digest)).map(({ digest }) => digest).sort()).toEqual(
        attached.map(({ digest }) => digest).sort(),
      );
    });
  });

  // spec.md#referrers-tag-schema; "Registries MUST include preexisting image manifests that are listed in an image index
  // tagged with the referrers tag schema and have a valid `subject` field in the referrers API response."
  describe('the tag in which clients keep referrers where a registry cannot', () => {
    test.each(['sha256', 'sha512'] as const)('is part of the list, each referrer once: of a %s', async (algorithm) => {
      const subject = image({}, algorithm);
      await push(subject);
      const [known, told] = [artifact(subject.descriptor), artifact(subject.descriptor)];
      await push(known);
      const kept = index([known.descriptor, { ...told.descriptor, artifactType: SBOM, annotations: { from: 'tag' } }]);
      await use().writer.pushBlob(name, Buffer.from('{}'));
      const [, hex] = subject.digest.split(':') as [string, string];
      await push(kept, `${algorithm}-${hex.slice(0, 64)}`);
      const found = await listed(subject.digest);
      expect(found.filter(({ digest }) => digest === known.digest).length).toBe(1);
      expect(found).toContainEqual({ ...told.descriptor, artifactType: SBOM, annotations: { from: 'tag' } });
      expect(found.length).toBe(2);
    });

    test('is a tag like others: whoever reads it gets what was pushed', async () => {
      const subject = fresh();
      const tag = digestOf(subject).replace(':', '-');
      const kept = index([{ mediaType: MANIFEST, digest: absent(), size: 10 }]);
      await push(kept, tag);
      expect((await use().anybody.get(`/v2/${name}/manifests/${tag}`)).bytes.equals(kept.bytes)).toBe(true);
    });

    test('does no harm when it holds something else', async () => {
      const subject = image();
      await push(subject);
      await push(
        manifestOf({ schemaVersion: 2, mediaType: 'application/vnd.example.odd+json' }),
        subject.digest.replace(':', '-'),
      );
      const answer = await list(subject.digest);
      expect([answer.status, descriptorsIn(answer)]).toEqual([200, []]);
    });
  });
}

/** A manifest about something that nobody has pushed. */
function withSubject(
  make: (subject: Descriptor) => Content,
  algorithm: 'sha256' | 'sha512' = 'sha256',
): [Content, string] {
  const digest = absent(algorithm);
  return [make({ mediaType: MANIFEST, digest, size: 10 }), digest];
}

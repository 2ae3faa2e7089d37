import { describe, expect, test } from 'vitest';
import { absent, artifact, digestOf, fresh, image, index } from './content.ts';
import { newName, refusal } from './registry.ts';
import type { Use } from './site.ts';

/** spec.md#content-management */
export function deletionConformance(use: Use): void {
  const remove = (path: string) => use().writer.ask('DELETE', `/v2/${path}`);
  const statusOf = async (path: string) => [
    (await use().anybody.get(`/v2/${path}`)).status,
    (await use().anybody.head(`/v2/${path}`)).status,
  ];
  const tagsOf = async (repository: string) =>
    (await use().anybody.get(`/v2/${repository}/tags/list`)).json<{ tags: string[] }>().tags;

  describe('deleting a tag', () => {
    // "Upon success, the registry MUST respond with a `202 Accepted` code." "Once deleted, a `GET` to
    // `/v2/<name>/manifests/<tag>` will return a 404."
    test('takes it away at once, and leaves its manifest and its other tags', async () => {
      const name = newName('untag');
      const content = image();
      await use().writer.push(name, content, 'one');
      await use().writer.put(name, 'two', content);
      expect((await remove(`${name}/manifests/one`)).status).toBe(202);
      expect(await statusOf(`${name}/manifests/one`)).toEqual([404, 404]);
      expect(await tagsOf(name)).toEqual(['two']);
      expect(await statusOf(`${name}/manifests/two`)).toEqual([200, 200]);
      expect(await statusOf(`${name}/manifests/${content.digest}`)).toEqual([200, 200]);
      expect((await remove(`${name}/manifests/two`)).status).toBe(202);
      expect(await tagsOf(name)).toEqual([]);
    });

    test('that is not there, or is none, is answered with 404', async () => {
      const name = newName('untag');
      await use().writer.push(name, image(), 'one');
      for (const tag of ['never', '.none'])
        expect(refusal(await remove(`${name}/manifests/${tag}`))).toEqual([404, 'MANIFEST_UNKNOWN']);
    });

    test('lets it be pushed once more', async () => {
      const name = newName('untag');
      const content = image();
      await use().writer.push(name, content, 'again');
      await remove(`${name}/manifests/again`);
      expect((await use().writer.put(name, 'again', content)).status).toBe(201);
      expect(await statusOf(`${name}/manifests/again`)).toEqual([200, 200]);
    });
  });

  describe('deleting a manifest', () => {
    // "Once deleted, a `GET` to `/v2/<name>/manifests/<digest>` and any tag pointing to that digest will return a 404."
    test.each(['sha256', 'sha512'] as const)(
      'by its %s takes it and all of its tags away at once',
      async (algorithm) => {
        const name = newName('delete');
        const [content, other] = [image({}, algorithm), image()];
        await use().writer.push(name, content, `${content.digest}?tag=one&tag=two`);
        await use().writer.push(name, other, 'other');
        expect((await remove(`${name}/manifests/${content.digest}`)).status).toBe(202);
        for (const reference of [content.digest, 'one', 'two'])
          expect(await statusOf(`${name}/manifests/${reference}`)).toEqual([404, 404]);
        expect(await tagsOf(name)).toEqual(['other']);
        expect(await statusOf(`${name}/manifests/other`)).toEqual([200, 200]);
      },
    );

    test('leaves it in the other repositories that have it, and its blobs where they are', async () => {
      const [name, other] = [newName('delete'), newName('keep')];
      const content = image();
      for (const repository of [name, other]) await use().writer.push(repository, content, 'v1');
      expect((await remove(`${name}/manifests/${content.digest}`)).status).toBe(202);
      expect(await statusOf(`${other}/manifests/v1`)).toEqual([200, 200]);
      expect(await statusOf(`${other}/manifests/${content.digest}`)).toEqual([200, 200]);
      for (const blob of content.blobs) expect(await statusOf(`${name}/blobs/${digestOf(blob)}`)).toEqual([200, 200]);
    });

    test('takes it out of the list of referrers, and leaves an index that names it', async () => {
      const name = newName('delete');
      const content = image();
      const [kept, gone] = [artifact(content.descriptor), artifact(content.descriptor)];
      const both = index([kept.descriptor, gone.descriptor]);
      for (const one of [content, kept, gone, both]) await use().writer.push(name, one);
      expect((await remove(`${name}/manifests/${gone.digest}`)).status).toBe(202);
      const listed = (await use().anybody.get(`/v2/${name}/referrers/${content.digest}`)).json<{
        manifests: { digest: string }[];
      }>();
      expect(listed.manifests.map(({ digest }) => digest)).toEqual([kept.digest]);
      expect(await statusOf(`${name}/manifests/${both.digest}`)).toEqual([200, 200]);
    });

    test('lets it be pushed once more', async () => {
      const name = newName('delete');
      const content = image();
      await use().writer.push(name, content, 'v1');
      await remove(`${name}/manifests/${content.digest}`);
      await use().writer.push(name, content, 'v1');
      expect((await use().anybody.get(`/v2/${name}/manifests/${content.digest}`)).bytes.equals(content.bytes)).toBe(
        true,
      );
    });

    // "If the repository does not exist, the response MUST return `404 Not Found`."
    test('that is not there is answered with 404, and a digest that is none with 400', async () => {
      const name = newName('delete');
      expect((await remove(`${name}/manifests/${absent()}`)).status).toBe(404);
      await use().writer.push(name, image());
      expect(refusal(await remove(`${name}/manifests/${absent()}`))).toEqual([404, 'MANIFEST_UNKNOWN']);
      expect(refusal(await remove(`${name}/manifests/sha256:bad`))).toEqual([400, 'DIGEST_INVALID']);
    });
  });

  describe('deleting a blob', () => {
    // "Upon success, the registry MUST respond with code `202 Accepted`. If the blob is not found, a `404 Not Found` code
    // MUST be returned."
    test.each(['sha256', 'sha512'] as const)(
      'by its %s takes it out of its repository at once, and of no other',
      async (algorithm) => {
        const [name, other] = [newName('delete'), newName('keep')];
        const blob = fresh();
        const digest = digestOf(blob, algorithm);
        for (const repository of [name, other]) await use().writer.pushBlob(repository, blob, algorithm);
        expect((await remove(`${name}/blobs/${digest}`)).status).toBe(202);
        expect(await statusOf(`${name}/blobs/${digest}`)).toEqual([404, 404]);
        expect(await statusOf(`${other}/blobs/${digest}`)).toEqual([200, 200]);
        expect(refusal(await remove(`${name}/blobs/${digest}`))).toEqual([404, 'BLOB_UNKNOWN']);
        await use().writer.pushBlob(name, blob, algorithm);
        expect(await statusOf(`${name}/blobs/${digest}`)).toEqual([200, 200]);
      },
    );

    test('that is not there is answered with 404, and a digest that is none with 400', async () => {
      const name = newName('delete');
      expect((await remove(`${name}/blobs/${absent()}`)).status).toBe(404);
      expect(refusal(await remove(`${name}/blobs/sha256:bad`))).toEqual([400, 'DIGEST_INVALID']);
    });
  });

  test('deleting is for those with a token that may write', async () => {
    const name = newName('delete');
    const content = image();
    await use().writer.push(name, content, 'v1');
    const reader = use().anybody.as(`Bearer ${use().secrets.reader}`);
    for (const path of ['manifests/v1', `manifests/${content.digest}`, `blobs/${digestOf(content.blobs[0]!)}`]) {
      expect(refusal(await use().anybody.ask('DELETE', `/v2/${name}/${path}`))).toEqual([401, 'UNAUTHORIZED']);
      expect(refusal(await reader.ask('DELETE', `/v2/${name}/${path}`))).toEqual([403, 'DENIED']);
      expect(await statusOf(`${name}/${path}`)).toEqual([200, 200]);
    }
  });
}

import { beforeAll, describe, expect, test } from 'vitest';
import { absent, digestOf, fresh, image } from './content.ts';
import { locationOf, newName, withQuery } from './registry.ts';
import type { Use } from './site.ts';

/** spec.md#mounting-a-blob-from-another-repository */
export function mountConformance(use: Use): void {
  describe('mounting a blob', () => {
    const source = newName('source');
    const blob = fresh(1000);
    const mount = (target: string, digest: string, from?: string) =>
      use().writer.ask(
        'POST',
        `/v2/${target}/blobs/uploads/?mount=${encodeURIComponent(digest)}${from === undefined ? '' : `&from=${encodeURIComponent(from)}`}`,
      );

    beforeAll(async () => {
      await use().writer.pushBlob(source, blob);
      await use().writer.pushBlob(source, blob, 'sha512');
    });

    // "The response to a successful mount MUST be `201 Created`, and MUST contain the following header: Location". "The
    // registry MAY treat the `from` parameter as optional, and it MAY cross-mount the blob if it can be found."
    test.each([
      ['from a repository that is named', 'sha256', source],
      ['from one that is not named', 'sha256', undefined],
      ['by its sha512', 'sha512', source],
      ['from a repository that never had it, when another one has', 'sha256', 'conformance/never'],
    ] as const)('%s makes it part of the repository', async (_what, algorithm, from) => {
      const target = newName('target');
      const digest = digestOf(blob, algorithm);
      // a bare name is an origin's until something was pushed there
      await use().writer.pushBlob(target, fresh());
      expect((await use().anybody.head(`/v2/${target}/blobs/${digest}`)).status).toBe(404);
      const answer = await mount(target, digest, from);
      expect(locationOf(answer, 201)).toContain(`${target}/blobs/`);
      expect(answer.headers['docker-content-digest']).toBe(digest);
      const pulled = await use().anybody.get(locationOf(answer, 201));
      expect([pulled.status, pulled.bytes.equals(blob)]).toEqual([200, true]);
    });

    // "if a registry … is unable to mount the requested blob, it SHOULD return a `202`. This indicates that the upload
    // session has begun and that the client MAY proceed with the upload."
    test.each([source, undefined, 'conformance/never'])('that is not held begins an upload (from %s)', async (from) => {
      const target = newName('target');
      const bytes = fresh();
      const location = locationOf(await mount(target, digestOf(bytes), from), 202);
      const answer = await use().writer.ask('PUT', withQuery(location, `digest=${digestOf(bytes)}`), { body: bytes });
      expect((await use().anybody.get(locationOf(answer, 201))).bytes.equals(bytes)).toBe(true);
    });

    test('that is not called by a digest begins an upload, or is refused', async () => {
      expect([202, 400]).toContain((await mount(newName('target'), 'sha256:baddigeststring', source)).status);
    });

    test('is enough for a manifest that names it, and outlives its deletion at the source', async () => {
      const [from, to] = [newName('from'), newName('to')];
      const content = image();
      await use().writer.push(from, content, 'v1');
      for (const one of content.blobs) expect((await mount(to, digestOf(one), from)).status).toBe(201);
      expect((await use().writer.put(to, 'v1', content)).status).toBe(201);
      for (const one of content.blobs) {
        expect((await use().writer.ask('DELETE', `/v2/${from}/blobs/${digestOf(one)}`)).status).toBe(202);
        expect((await use().anybody.get(`/v2/${to}/blobs/${digestOf(one)}`)).bytes.equals(one)).toBe(true);
      }
    });

    test('is a push: nobody does it without a token', async () => {
      const path = `/v2/${newName('target')}/blobs/uploads/?mount=${digestOf(blob)}&from=${source}`;
      expect((await use().anybody.ask('POST', path)).status).toBe(401);
      const unknown = `/v2/${newName('target')}/blobs/uploads/?mount=${absent()}&from=${source}`;
      expect((await use().anybody.ask('POST', unknown)).status).toBe(401);
    });
  });
}

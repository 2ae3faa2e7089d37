import { beforeAll, describe, expect, test } from 'vitest';
import { type Content, digestOf, fresh, image, manifestOf } from './content.ts';
import { type Answer, newName, nextOf, refusal } from './registry.ts';
import type { Use } from './site.ts';

interface List {
  name: string;
  tags: string[];
}

/** A tag of each kind, in the order of their characters ("ASCIIbetical", Go's `sort.Strings`). */
const SORTED = [
  '0',
  '1.0',
  '10',
  '9',
  'B',
  'Latest',
  '_x',
  'a',
  'a-b',
  'a.b',
  'a_b',
  'latest',
  'v1',
  'v1-rc',
  'v10',
  'v2',
  'z'.repeat(128),
];

/** spec.md#listing-tags, tags as parameters (main), and `_catalog` as Docker's registry has it */
export function tagConformance(use: Use): void {
  const name = newName('tags');
  const [first] = SORTED as [string];
  let content: Content;
  const list = (query = '', repository = name) => use().anybody.get(`/v2/${repository}/tags/list${query}`);
  const tagsIn = async (query: string) => (await list(query)).json<List>().tags;
  /** All pages, as a client reads them. */
  const pages = async (answer: Answer, found: Answer[] = []): Promise<Answer[]> => {
    found.push(answer);
    const next = nextOf(answer);
    return next === undefined ? found : pages(await use().anybody.get(next), found);
  };

  beforeAll(async () => {
    content = image();
    await use().writer.push(name, content, first);
    for (const tag of [...SORTED].reverse()) await use().writer.put(name, tag, content);
  });

  describe('the list of tags', () => {
    // "this request MUST return a `200 OK` response code … the tags MUST be in lexical … or "ASCIIbetical" … order. Upon
    // success, the response MUST be a json body"
    test('names the repository and all of its tags, in the order of their characters', async () => {
      const answer = await list();
      expect([answer.status, answer.headers['content-type'], nextOf(answer)]).toEqual([
        200,
        'application/json',
        undefined,
      ]);
      expect(answer.json()).toEqual({ name, tags: SORTED });
    });

    // "MAY return fewer than `<int>` results, but only when the total number of tags … is less than `<int>` or a `Link`
    // header is provided. Otherwise, the response MUST include `<int>` results."
    test.each([1, 3, SORTED.length, 1000])('is given %i at a time, each tag once, by following Link', async (n) => {
      const found = await pages(await list(`?n=${n}`));
      const tags = found.map((one) => one.json<List>().tags);
      expect(tags.flat()).toEqual(SORTED);
      expect(tags.slice(0, -1).every((page) => page.length === n)).toBe(true);
      expect(found.length).toBe(Math.ceil(SORTED.length / n));
    });

    // "When `n` is zero, this endpoint MUST return an empty list, and MUST NOT include a `Link` header."
    test('is empty and ends there when none are wanted', async () => {
      for (const query of ['?n=0', '?n=0&last=a']) {
        const answer = await list(query);
        expect([answer.status, answer.json<List>().tags, answer.headers.link]).toEqual([200, [], undefined]);
      }
    });

    // "`<tagname>` will not be included in the results, but up to `<int>` tags *after* `<tagname>` will be returned."
    // "When using the `last` query parameter, the `n` parameter is OPTIONAL."
    test('goes on behind a tag, with a number and without', async () => {
      const at = SORTED.indexOf('a');
      expect(await tagsIn('?last=a')).toEqual(SORTED.slice(at + 1));
      expect(await tagsIn('?last=a&n=2')).toEqual(SORTED.slice(at + 1, at + 3));
      expect(await tagsIn(`?last=${SORTED.at(-1)}`)).toEqual([]);
      expect(await tagsIn('?last=')).toEqual(SORTED);
    });

    test('goes on behind a tag that is gone, where it would stand', async () => {
      expect(await tagsIn('?last=a-a')).toEqual(SORTED.slice(SORTED.indexOf('a-b')));
      expect(await tagsIn('?n=1&last=C')).toEqual(['Latest']);
    });

    test.each(['-1', 'ten', '1.5', '1e400'])('is refused for n=%s', async (n) => {
      expect((await list(`?n=${n}`)).status).toBe(400);
    });

    // "The list of tags MAY be empty if there are no tags on the repository."
    test('is empty for a repository that has none', async () => {
      const repository = newName('untagged');
      await use().writer.pushBlob(repository, fresh());
      expect((await list('', repository)).json()).toEqual({ name: repository, tags: [] });
    });

    // spec.md#endpoints, end-8a: 404; code-9 NAME_UNKNOWN
    test('is not there for a repository that is not there', async () => {
      expect(refusal(await list('', newName('nowhere')))).toEqual([404, 'NAME_UNKNOWN']);
    });
  });

  describe('tags as parameters of a push by digest', () => {
    const tagged = newName('tagged');
    const config = Buffer.from('{}');
    const another = () =>
      manifestOf({
        schemaVersion: 2,
        config: { mediaType: 'application/json', digest: digestOf(config), size: 2 },
        layers: [],
        nonce: fresh(8).toString('hex'),
      });
    const put = (content: Content, tags: string[], digest = content.digest) =>
      use().writer.put(tagged, `${digest}?${tags.map((tag) => `tag=${encodeURIComponent(tag)}`).join('&')}`, content);

    beforeAll(async () => {
      await use().writer.pushBlob(tagged, config);
    });

    // "SHOULD support pushing at least 10 tags per request"; "MUST include an `OCI-Tag` response header, in accordance
    // with RFC 9110 (section 5) semantics, for each accepted tag" (main)
    test.each(['sha256', 'sha512'] as const)('are all made, and told in OCI-Tag: twelve of a %s', async (algorithm) => {
      const content = another();
      const tags = Array.from({ length: 12 }, (_, at) => `${algorithm}-${at}`);
      const digest = digestOf(content.bytes, algorithm);
      const answer = await put(content, tags, digest);
      expect(answer.status).toBe(201);
      expect(answer.all('oci-tag').flatMap((field) => field.split(',').map((tag) => tag.trim()))).toEqual(tags);
      for (const tag of tags) {
        const pulled = await use().anybody.get(`/v2/${tagged}/manifests/${tag}`);
        expect([pulled.headers['docker-content-digest'], pulled.bytes.equals(content.bytes)]).toEqual([digest, true]);
      }
      expect((await list('', tagged)).json<List>().tags).toEqual(expect.arrayContaining(tags));
    });

    test('are made all or none', async () => {
      const content = another();
      expect((await put(content, ['good', '.bad'])).status).toBe(400);
      for (const reference of ['good', content.digest])
        expect((await use().anybody.get(`/v2/${tagged}/manifests/${reference}`)).status).toBe(404);
    });

    test('are told to nobody who did not give any', async () => {
      expect((await put(another(), [])).headers['oci-tag']).toBeUndefined();
    });
  });

  describe('the list of repositories', () => {
    const catalog = (query = '') => use().anybody.get(`/v2/_catalog${query}`);
    const namesIn = ({ json }: Answer) => json<{ repositories: string[] }>().repositories;

    test('names all of them in order, in one piece or page by page', async () => {
      const all = namesIn(await catalog());
      expect(all).toEqual([...all].sort());
      expect(all).toContain(name);
      const found = (await pages(await catalog('?n=3'))).map(namesIn);
      expect(found.flat()).toEqual(all);
      expect(found.slice(0, -1).every((page) => page.length === 3)).toBe(true);
      expect(namesIn(await catalog(`?n=1&last=${all[0]}`))).toEqual([all[1]]);
      expect([namesIn(await catalog('?n=0')), (await catalog('?n=0')).headers.link]).toEqual([[], undefined]);
    });
  });
}

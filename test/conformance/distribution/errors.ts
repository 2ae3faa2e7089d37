import { beforeAll, describe, expect, test } from 'vitest';
import { absent, digestOf, fresh, image } from './content.ts';
import { type Asking, type ErrorBody, newName, refusal } from './registry.ts';
import type { Use } from './site.ts';

/** spec.md#error-codes; TAG_INVALID is one of "Legacy Docker support error codes". */
const CODES = [
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
  'TAG_INVALID',
];

/** "`<name>` MUST match" that expression (spec.md#pulling-manifests). */
const NAMES = [
  'a',
  'a.b',
  'a_b',
  'a__b',
  'a---b',
  '0/1/2/3',
  'v2/v2',
  'blobs/uploads',
  'a/manifests/b',
  'tags/list',
  'a/blobs/uploads/b',
  'referrers',
  'n'.repeat(200),
];
const NO_NAMES = [
  'Upper/case',
  '_a',
  'a_',
  'a___b',
  'a..b',
  '.a',
  'a.',
  '-a',
  'a-',
  'a/-b',
  'a/b.',
  'a%20b',
  'a%2F..%2Fb',
  '%2e%2e/a',
  'a@b',
  'a~b',
  '%C3%A9',
  'a%00b',
  'n'.repeat(256),
];
/** "MUST be at most 128 characters in length and MUST match" its expression. */
const TAGS = ['a', '_', '0', 'A.b-c_d', 'latest', 'v1..2', 't'.repeat(128)];
const NO_TAGS = ['.a', '-a', 'a%20b', 'a+b', 'a@b', 'a~b', '%C3%A9', 'a%00', 't'.repeat(129)];

export function errorConformance(use: Use): void {
  const name = newName('errors');
  const content = image();

  beforeAll(async () => {
    await use().writer.push(name, content, 'v1');
  });

  describe('names', () => {
    test.each(NAMES)('may be %s', async (repository) => {
      const { digest, bytes } = content;
      await use().writer.push(repository, content, 'v1');
      expect((await use().anybody.get(`/v2/${repository}/manifests/v1`)).bytes.equals(bytes)).toBe(true);
      expect((await use().anybody.get(`/v2/${repository}/tags/list`)).json()).toEqual({
        name: repository,
        tags: ['v1'],
      });
      expect((await use().anybody.get(`/v2/${repository}/referrers/${digest}`)).status).toBe(200);
    });

    test.each(NO_NAMES)('may not be %s', async (repository) => {
      const asked: [string, string, Asking?][] = [
        ['PUT', 'manifests/v1', { body: content.bytes }],
        ['POST', 'blobs/uploads/'],
        ['GET', 'manifests/v1'],
        ['GET', 'tags/list'],
        ['GET', `blobs/${digestOf(content.blobs[0]!)}`],
        ['DELETE', 'manifests/v1'],
      ];
      for (const [method, path, asking] of asked) {
        const answer = await use().writer.ask(method, `/v2/${repository}/${path}`, asking);
        expect([method, ...refusal(answer)]).toEqual([method, 400, 'NAME_INVALID']);
      }
    });

    test('that reach into other repositories reach nothing', async () => {
      for (const path of [`/v2/x/../${name}/manifests/v1`, `/v2/${name}/manifests/../manifests/v1`])
        expect([400, 404]).toContain((await use().writer.get(path)).status);
    });
  });

  describe('tags', () => {
    test.each(TAGS)('may be %s', async (tag) => {
      expect((await use().writer.put(name, tag, content)).status).toBe(201);
      expect((await use().anybody.get(`/v2/${name}/manifests/${tag}`)).status).toBe(200);
    });

    // "The `<tag-or-digest>` MUST NOT be in any other format."
    test.each(NO_TAGS)('may not be %s', async (tag) => {
      expect(refusal(await use().writer.put(name, tag, content))).toEqual([400, 'TAG_INVALID']);
      expect([400, 404]).toContain((await use().anybody.get(`/v2/${name}/manifests/${tag}`)).status);
    });
  });

  describe('errors', () => {
    // "If the response body is in JSON format, it MUST have the following format … The `code` field MUST be one of the
    // following" (spec.md#error-codes)
    test.each<[number, string, string, () => [string, Asking?]]>([
      [404, 'BLOB_UNKNOWN', 'GET', () => [`/v2/${name}/blobs/${absent()}`]],
      [404, 'BLOB_UPLOAD_UNKNOWN', 'PATCH', () => [`/v2/${name}/blobs/uploads/nope`, { body: 'x' }]],
      [400, 'DIGEST_INVALID', 'GET', () => [`/v2/${name}/blobs/sha256:bad`]],
      [400, 'MANIFEST_INVALID', 'PUT', () => [`/v2/${name}/manifests/bad`, { body: 'no JSON' }]],
      [404, 'MANIFEST_UNKNOWN', 'GET', () => [`/v2/${name}/manifests/nope`]],
      [400, 'NAME_INVALID', 'GET', () => ['/v2/No/tags/list']],
      [404, 'NAME_UNKNOWN', 'GET', () => [`/v2/${newName('none')}/tags/list`]],
      [413, 'SIZE_INVALID', 'PUT', () => [`/v2/${name}/manifests/big`, { body: Buffer.alloc(9 << 20, ' ') }]],
      [405, 'UNSUPPORTED', 'POST', () => [`/v2/${name}/manifests/v1`, { body: '{}' }]],
      [405, 'UNSUPPORTED', 'PUT', () => [`/v2/${name}/blobs/${digestOf(fresh())}`, { body: 'x' }]],
      [405, 'UNSUPPORTED', 'PATCH', () => [`/v2/${name}/tags/list`, { body: 'x' }]],
      [405, 'UNSUPPORTED', 'DELETE', () => [`/v2/${name}/referrers/${content.digest}`]],
      [405, 'UNSUPPORTED', 'DELETE', () => ['/v2/_catalog']],
      [405, 'UNSUPPORTED', 'POST', () => ['/v2/']],
    ])('are told in the form of the spec: %i %s for %s', async (status, code, method, make) => {
      const [path, asking] = make();
      const answer = await use().writer.ask(method, path, asking);
      expect(refusal(answer)).toEqual([status, code]);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      expect(answer.json<ErrorBody>().errors[0]!.message).toMatch(/\w+ \w+/);
      // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response"
      if (status === 405) expect(answer.headers.allow).toMatch(/^[A-Z]+(, [A-Z]+)*$/);
    });

    test('of an address that is none of a registry, too', async () => {
      for (const path of [`/v2/${name}`, `/v2/${name}/manifests/`, `/v2/${name}/nothing/here`, '/v2/manifests/x/y'])
        expect((await use().writer.get(path)).status).toBe(404);
    });
  });
}

/** What holds for every answer; run it last. */
export function answerConformance(use: Use): void {
  describe('every answer', () => {
    // docker takes nothing for a registry that does not say so ("Legacy Docker support HTTP headers")
    test('says that it comes from a registry', () => {
      const silent = use()
        .seen()
        .filter(({ headers }) => headers['docker-distribution-api-version'] !== 'registry/2.0');
      expect(silent.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
    });

    test('comes as it is, whatever its client can unpack', () => {
      const encoded = use()
        .seen()
        .filter(({ headers }) => headers['content-encoding'] !== undefined);
      expect(encoded.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
    });

    test('that is an error has a code of the spec', () => {
      const refused = use()
        .seen()
        .filter(({ status, bytes }) => status >= 400 && status < 500 && bytes.length > 0);
      expect(refused.length).toBeGreaterThan(0);
      for (const { json } of refused) {
        const { errors, ...more } = json<ErrorBody>();
        expect(more).toEqual({});
        for (const { code, message, ...rest } of errors) {
          // "MUST be a unique identifier, containing only uppercase alphabetic characters and underscores"
          expect(CODES).toContain(code);
          expect(typeof message).toBe('string');
          expect(Object.keys(rest).filter((field) => field !== 'detail')).toEqual([]);
        }
      }
    });

    // "MUST specify a `warn-code` of `299` and a `warn-agent` of `-`, and MUST NOT specify a `warn-date` value"
    test('that warns does so as the spec has it', () => {
      for (const warning of use()
        .seen()
        .flatMap((answer) => answer.all('warning')))
        expect(warning).toMatch(/^299 - "(?:[^"\\]|\\.)*"$/);
    });
  });
}

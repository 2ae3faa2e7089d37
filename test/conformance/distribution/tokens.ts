import { describe, expect, test } from 'vitest';
import { digestOf, fresh, image } from './content.ts';
import { type Answer, newName, refusal } from './registry.ts';
import { basic, type Use } from './site.ts';

interface Token {
  token: string;
  access_token: string;
  expires_in: number;
  issued_at: string;
  refresh_token?: string;
  scope?: string;
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/**
 * spec.md#determining-support, and how clients get tokens: distribution's docs/content/spec/auth/token.md (GET) and
 * oauth.md (POST).
 */
export function tokenConformance(use: Use): void {
  const challengeOf = ({ headers }: Answer) => {
    const [, fields] = /^Bearer (.*)$/.exec(headers['www-authenticate'] ?? '')!;
    return Object.fromEntries([...fields!.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]));
  };
  const byGet = (query: string, authorization?: string) => use().anybody.as(authorization).get(`/token?${query}`);
  const byPost = (form: Record<string, string>) =>
    use().anybody.ask('POST', '/token', { body: new URLSearchParams(form).toString(), headers: FORM });
  const password = () => ({
    grant_type: 'password',
    username: 'ci',
    password: use().secrets.writer,
    service: 'larder',
    client_id: 'x',
  });
  const bearer = ({ json }: Answer) => use().anybody.as(`Bearer ${json<Token>().token}`);

  describe('whoever asks whether this is a registry', () => {
    // "If the response is `200 OK`, then the registry implements this specification. This endpoint MAY be used for
    // authentication/authorization purposes"
    test.each(['/v2/', '/v2'])('is told so, with a token, at %s', async (path) => {
      for (const method of ['GET', 'HEAD']) expect((await use().writer.ask(method, path)).status).toBe(200);
    });

    test('is told where to get a token, without one, and anybody gets one', async () => {
      const answer = await use().anybody.get('/v2/');
      expect(refusal(answer)).toEqual([401, 'UNAUTHORIZED']);
      const { realm, service } = challengeOf(answer);
      const given = await use().anybody.get(`${realm}?service=${service}`);
      expect(given.status).toBe(200);
      expect((await bearer(given).get('/v2/')).status).toBe(200);
    });

    test('is sent to the address by which it came', async () => {
      const answer = await use().anybody.get('/v2/', { host: 'registry.example:5000' });
      expect(challengeOf(answer).realm).toBe('http://registry.example:5000/token');
    });

    test('with a token that is wrong is asked for another one', async () => {
      const path = `/v2/${newName('wrong')}/tags/list`;
      for (const authorization of [
        'Bearer wrong',
        basic('wrong'),
        basic('lrd_00000000_0000000000000000000000000000000000000000'),
      ]) {
        const answer = await use().anybody.as(authorization).get(path);
        expect(refusal(answer)).toEqual([401, 'UNAUTHORIZED']);
        expect(challengeOf(answer).realm).toMatch(/\/token$/);
      }
    });
  });

  describe('a token', () => {
    // token.md: "When both are specified, they should be equivalent";
    // "For compatibility with older clients, a token should never be returned with less than 60 seconds to live"
    test.each<[string, () => Promise<Answer>]>([
      [
        'by GET, with Basic, as docker does',
        () => byGet('account=ci&scope=repository:a/b:pull,push&service=larder', basic(use().secrets.writer)),
      ],
      [
        'by GET, with another order of actions',
        () => byGet('scope=repository:a/b:push,pull&service=larder', basic(use().secrets.writer)),
      ],
      [
        'by GET, for several repositories',
        () => byGet('scope=repository:a:pull&scope=repository:b:pull,push', basic(use().secrets.writer)),
      ],
      [
        'by POST, with a password, as containerd does',
        () =>
          byPost({
            grant_type: 'password',
            username: 'ci',
            password: use().secrets.writer,
            service: 'larder',
            client_id: 'containerd-client',
            scope: 'repository:a/b:pull,push',
          }),
      ],
    ])('is given %s, under both of its names', async (_what, ask) => {
      const answer = await ask();
      expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
      const given = answer.json<Token>();
      expect(given.token).toBe(given.access_token);
      expect(given.expires_in).toBeGreaterThanOrEqual(60);
      expect(given.issued_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      const pushed = await bearer(answer).pushBlob(newName('token'), fresh());
      expect(pushed).toMatch(/^sha256:/);
    });

    // token.md: "Whether to return a refresh token along with the bearer token"; oauth.md: "If "offline" is provided then
    // a refresh token will be returned"; "(REQUIRED) The scope granted inside the access token"
    test('to ask for further ones is given to who wants one', async () => {
      const given = await byGet('offline_token=true&service=larder', basic(use().secrets.writer));
      const posted = await byPost({
        grant_type: 'password',
        username: 'ci',
        password: use().secrets.writer,
        access_type: 'offline',
        service: 'larder',
        client_id: 'x',
      });
      for (const refresh_token of [given.json<Token>().refresh_token!, posted.json<Token>().refresh_token!]) {
        const answer = await byPost({
          grant_type: 'refresh_token',
          refresh_token,
          service: 'larder',
          client_id: 'x',
          scope: 'repository:a:push',
        });
        expect([answer.status, answer.json<Token>().scope]).toEqual([200, 'repository:a:push']);
        await bearer(answer).pushBlob(newName('token'), fresh());
      }
      expect((await byGet('service=larder', basic(use().secrets.writer))).json<Token>().refresh_token).toBeUndefined();
    });

    test('is not given for a password that is wrong, or a grant that is not known', async () => {
      expect(refusal(await byGet('service=larder', basic('wrong')))).toEqual([401, 'UNAUTHORIZED']);
      expect(refusal(await byPost({ grant_type: 'password', username: 'ci', password: 'wrong' }))).toEqual([
        401,
        'UNAUTHORIZED',
      ]);
      expect(refusal(await byPost({ grant_type: 'refresh_token', refresh_token: 'wrong' }))).toEqual([
        401,
        'UNAUTHORIZED',
      ]);
      expect((await byPost({ grant_type: 'client_credentials' })).status).toBe(400);
    });

    // a bare name that is pushed is ours from the first question on: what an origin calls so is something else
    test.each<[string, (scope: string) => Promise<Answer>]>([
      ['by GET', (scope) => byGet(`scope=${scope}`, basic(use().secrets.writer))],
      [
        'by GET, for several repositories',
        (scope) => byGet(`scope=${scope}&scope=repository:b:pull`, basic(use().secrets.writer)),
      ],
      ['by POST', (scope) => byPost({ ...password(), scope })],
      // oauth.md: "may contain multiple scopes using the scope list format"
      ['by POST, for several repositories', (scope) => byPost({ ...password(), scope: `${scope} repository:b:pull` })],
      [
        'by POST, for several repositories, the other one first',
        (scope) => byPost({ ...password(), scope: `repository:b:pull ${scope}` }),
      ],
    ])('to push with asks no origin for the name: %s', async (_what, ask) => {
      const name = newName('pushed');
      use().origin.set(`/v2/${name}/manifests/v1`, { body: '{}', type: 'application/vnd.oci.image.manifest.v1+json' });
      const pusher = bearer(await ask(`repository:${name}:pull,push`));
      expect((await pusher.head(`/v2/${name}/manifests/v1`)).status).toBe(404);
      expect(use().origin.calls(`/v2/${name}/manifests/v1`)).toEqual([]);
    });

    test('is given to who sends a name and a password of no letters, as to anybody', async () => {
      for (const authorization of [basic('', ''), 'Basic']) {
        const answer = await byGet('service=larder', authorization);
        expect(answer.status).toBe(200);
        expect((await bearer(answer).get('/v2/')).status).toBe(200);
      }
    });

    // token.md: "If the client only has a subset of the requested access it must not be considered an error"
    test('that asks for more than its owner may have is given, and opens no more', async () => {
      const name = newName('token');
      const blob = fresh();
      await use().writer.pushBlob(name, blob);
      for (const authorization of [undefined, basic(use().secrets.reader)]) {
        const answer = await byGet(`scope=repository:${name}:pull,push,delete`, authorization);
        expect(answer.status).toBe(200);
        expect((await bearer(answer).get(`/v2/${name}/blobs/${digestOf(blob)}`)).status).toBe(200);
        expect((await bearer(answer).ask('POST', `/v2/${name}/blobs/uploads/`)).status).toBe(authorization ? 403 : 401);
      }
    });
  });

  describe('who pushes without a token', () => {
    test.each([
      ['POST', 'blobs/uploads/'],
      ['PUT', 'manifests/v1'],
      ['DELETE', 'manifests/v1'],
    ])('is asked for one that may: %s %s', async (method, path) => {
      const name = newName('locked');
      const answer = await use().anybody.ask(method, `/v2/${name}/${path}`);
      expect(refusal(answer)).toEqual([401, 'UNAUTHORIZED']);
      expect(challengeOf(answer)).toMatchObject({ service: expect.any(String), scope: `repository:${name}:pull,push` });
    });

    test('may pull all the same', async () => {
      const name = newName('open');
      await use().writer.push(name, image(), 'v1');
      for (const what of ['manifests/v1', 'tags/list'])
        expect((await use().anybody.get(`/v2/${name}/${what}`)).status).toBe(200);
    });
  });
}

import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, test } from 'vitest';
import { isPresignedV2, verifyPresignedV2 } from '../../../services/s3/auth/sigv2.ts';
import { type RequestToVerify, verifyRequest } from '../../../services/s3/auth/verify.ts';
import { Sha256 } from '../../support/signer-sha256.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
/** As MLIS has them: longer than what most servers take, and with slashes. */
const LONG = `AKIA/${'x'.repeat(2048)}`;

interface Wish {
  method?: string;
  path?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  accessKeyId?: string;
  region?: string;
  at?: number;
}

/** Signs as the SDKs do. */
async function signed(wish: Wish, how: 'header' | 'query' = 'header', expiresIn = 600): Promise<RequestToVerify> {
  const { method = 'GET', path = '/bucket/key', query = {}, headers = {}, region = 'us-east-1' } = wish;
  const signer = new SignatureV4({
    service: 's3',
    region,
    credentials: { accessKeyId: wish.accessKeyId ?? 'key', secretAccessKey: SECRET },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: how === 'header',
  });
  const request = {
    method,
    protocol: 'http:',
    hostname: 'larder',
    path,
    query,
    // the presigner of the SDK says so, and it ends in the address
    headers: {
      host: 'larder:9000',
      ...(how === 'query' ? { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } : {}),
      ...headers,
    },
  };
  const signingDate = new Date(wish.at ?? NOW);
  const done =
    how === 'header'
      ? await signer.sign(request, { signingDate })
      : await signer.presign(request, { signingDate, expiresIn });
  return {
    method,
    path,
    query: Object.entries(done.query ?? {}) as [string, string][],
    headers: Object.fromEntries(Object.entries(done.headers).map(([name, value]) => [name.toLowerCase(), value])),
  };
}

const secretOf = async (accessKeyId: string) => (['key', LONG].includes(accessKeyId) ? SECRET : undefined);
const verify = (request: RequestToVerify, now = NOW) => verifyRequest(request, secretOf, now);

test('a field that is not ASCII is verified as its UTF-8, and as its bytes where these are none', async () => {
  const request = await signed({ headers: { 'x-amz-meta-a': 'Grüße ✓' } });
  const wire = (text: string, coding: 'utf8' | 'latin1') => Buffer.from(text, coding).toString('latin1');
  const asUtf8 = { ...request.headers, 'x-amz-meta-a': wire('Grüße ✓', 'utf8') };
  expect(await verify({ ...request, headers: asUtf8 })).toMatchObject({ accessKeyId: 'key' });
  const other = await signed({ headers: { 'x-amz-meta-a': 'Grüße' } });
  const asLatin = { ...other.headers, 'x-amz-meta-a': wire('Grüße', 'latin1') };
  expect(await verify({ ...other, headers: asLatin })).toMatchObject({ accessKeyId: 'key' });
  const changed = { ...request.headers, 'x-amz-meta-a': wire('Grüsse ✓', 'utf8') };
  await expect(verify({ ...request, headers: changed })).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
});

describe('a request that is signed with version 4', () => {
  const WISHES: Record<string, Wish> = {
    'as it is': {},
    'in any region': { region: 'far-away-7' },
    'with an access key of 2 KB, slashes within': { accessKeyId: LONG },
    'with a query, its names in their order': { query: { 'a-b': '1', a: '2', prefix: 'x y/ü', uploads: '' } },
    'with a key of odd characters': { path: "/bucket/a%2Fb%20c%2B~/../x//%C3%BC%25'()" },
    'with fields of its own': { headers: { 'x-amz-meta-a': ' two   words ', 'content-type': 'text/plain' } },
    'five minutes ago': { at: NOW - 300_000 },
  };

  test.each(Object.entries(WISHES))('in a field, %s, is taken', async (_how, wish) => {
    const verified = await verify(await signed(wish));
    expect(verified?.accessKeyId).toBe(wish.accessKeyId ?? 'key');
    expect(verified?.payload).toEqual({ kind: 'signed', sha256: createHash('sha256').digest('hex') });
  });

  test.each(Object.entries(WISHES))('in its address, %s, is taken', async (_how, wish) => {
    expect((await verify(await signed(wish, 'query')))?.payload).toEqual({ kind: 'unsigned' });
  });

  test('and writes its path in another way than it signed it is taken', async () => {
    const request = await signed({ path: '/bucket/a~b' });
    expect((await verify({ ...request, path: '/bucket/a%7Eb' }))?.accessKeyId).toBe('key');
  });

  const CHANGES: [string, (request: RequestToVerify) => RequestToVerify, string][] = [
    ['another method', (one) => ({ ...one, method: 'DELETE' }), 'SignatureDoesNotMatch'],
    ['another path', (one) => ({ ...one, path: '/bucket/other' }), 'SignatureDoesNotMatch'],
    ['more in its query', (one) => ({ ...one, query: [...one.query, ['acl', '']] }), 'SignatureDoesNotMatch'],
    ['another host', (one) => withField(one, 'host', 'elsewhere'), 'SignatureDoesNotMatch'],
    ['a field more', (one) => withField(one, 'x-amz-acl', 'public-read'), 'AccessDenied'],
    ['another body', (one) => withField(one, 'x-amz-content-sha256', 'f'.repeat(64)), 'SignatureDoesNotMatch'],
    ['a body of an unknown kind', (one) => withField(one, 'x-amz-content-sha256', 'x'), 'InvalidArgument'],
    ['no word of its body', (one) => withField(one, 'x-amz-content-sha256', undefined), 'InvalidRequest'],
    ['no date', (one) => withField(one, 'x-amz-date', undefined), 'AccessDenied'],
    ['a date that is none', (one) => withField(one, 'x-amz-date', '20269999T999999Z'), 'AuthorizationHeaderMalformed'],
    ['half a signature', (one) => changed(one, /Signature=\w+/, 'Signature=00'), 'SignatureDoesNotMatch'],
    ['no signature', (one) => changed(one, /, Signature=\w+/, ''), 'AuthorizationHeaderMalformed'],
    ['another service', (one) => changed(one, '/s3/', '/ec2/'), 'AuthorizationHeaderMalformed'],
    ['a scope that is none', (one) => changed(one, 'aws4_request', 'x'), 'AuthorizationHeaderMalformed'],
    ['an unknown key', (one) => changed(one, 'Credential=key', 'Credential=other'), 'InvalidAccessKeyId'],
    ['no signed host', (one) => changed(one, 'SignedHeaders=host;', 'SignedHeaders='), 'AccessDenied'],
  ];
  test.each(CHANGES)('that then has %s is refused', async (_what, change, code) => {
    const done = verify(change(await signed({})));
    await expect(done).rejects.toMatchObject({ code });
  });

  test.each([
    [-1_000_000, 'RequestTimeTooSkewed'],
    [1_000_000, 'RequestTimeTooSkewed'],
  ])('at a time %i ms away is refused', async (away, code) => {
    await expect(verify(await signed({ at: NOW + away }))).rejects.toMatchObject({ code });
  });

  test('in its address ends when it says, and does not begin before', async () => {
    const request = await signed({}, 'query', 60);
    expect(await verify(request, NOW + 59_000)).toBeDefined();
    await expect(verify(request, NOW + 61_000)).rejects.toThrow('Request has expired');
    await expect(verify(request, NOW - 1_000_000)).rejects.toThrow('Request is not valid yet');
  });

  test.each(['X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders', 'X-Amz-Signature'])(
    'in its address without %s is refused',
    async (name) => {
      const request = await signed({}, 'query');
      const query = request.query.filter(([key]) => key !== name);
      await expect(verify({ ...request, query })).rejects.toMatchObject({ code: 'AuthorizationQueryParametersError' });
    },
  );

  test('twice is refused', async () => {
    const both = { ...(await signed({}, 'query')), headers: (await signed({})).headers };
    await expect(verify(both)).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  test('by nobody is nobody', async () => {
    expect(await verify({ method: 'GET', path: '/', query: [], headers: { host: 'larder' } })).toBeUndefined();
  });
});

describe('an address that is signed with version 2', () => {
  const expires = NOW / 1000 + 60;
  const sign = (text: string) => createHmac('sha1', SECRET).update(text).digest('base64');
  const requestFor = (text: string, more: [string, string][] = []) => ({
    method: 'GET',
    resource: '/bucket/a%20b',
    query: [...more, ['AWSAccessKeyId', 'key'], ['Signature', sign(text)], ['Expires', `${expires}`]] as [
      string,
      string,
    ][],
    headers: {},
  });
  const plain = `GET\n\n\n${expires}\n/bucket/a%20b`;

  test('is taken, with what of its query is signed', async () => {
    const request = requestFor(plain);
    expect(isPresignedV2(request.query)).toBe(true);
    expect(await verifyPresignedV2(request, secretOf, NOW)).toBe('key');
    const more = requestFor(`${plain}?response-content-type=text/plain&versionId=1`, [
      ['versionId', '1'],
      ['response-content-type', 'text/plain'],
      ['other', 'x'],
    ]);
    expect(await verifyPresignedV2(more, secretOf, NOW)).toBe('key');
  });

  test('is refused for another path, when it is over, and for a key that is not there', async () => {
    const request = requestFor(plain);
    const tried = (one: typeof request, now = NOW) => verifyPresignedV2(one, secretOf, now);
    await expect(tried({ ...request, resource: '/bucket/b' })).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
    await expect(tried(request, NOW + 61_000)).rejects.toThrow('Request has expired');
    const other = request.query.map(([name, value]): [string, string] => [name, value === 'key' ? 'other' : value]);
    await expect(tried({ ...request, query: other })).rejects.toMatchObject({ code: 'InvalidAccessKeyId' });
  });
});

function withField(request: RequestToVerify, name: string, value: string | undefined): RequestToVerify {
  const { [name]: _gone, ...headers } = request.headers;
  return { ...request, headers: value === undefined ? headers : { ...headers, [name]: value } };
}

function changed(request: RequestToVerify, from: string | RegExp, to: string): RequestToVerify {
  return withField(request, 'authorization', request.headers.authorization!.replace(from, to));
}

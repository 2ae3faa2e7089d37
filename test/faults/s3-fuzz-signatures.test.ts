import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, test, vi } from 'vitest';
import { parseAddress } from '../../services/s3/address.ts';
import { readSignedRequest } from '../../services/s3/auth/signed-request.ts';
import { isPresignedV2, verifyPresignedV2 } from '../../services/s3/auth/sigv2.ts';
import { type RequestToVerify, verifyRequest } from '../../services/s3/auth/verify.ts';
import { S3Error } from '../../services/s3/errors.ts';
import { encodePath, encodeRfc3986 } from '../../shared/storage/sigv4.ts';
import { type Dice, FUZZ_TIMEOUT, fuzz } from '../support/fuzz.ts';
import { Sha256 } from '../support/signer-sha256.ts';

vi.setConfig({ testTimeout: FUZZ_TIMEOUT });

const NOW = Date.parse('2026-11-24T12:00:00Z');
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const KEYS = ['key', 'AKIA/with/slashes', 'k'.repeat(2048)];
const VISIBLE = [...'abcXYZ0189-._~/+%&=?#;:\'"<>()*!$@^|[]{}`'];

const secretOf = async (id: string) => (KEYS.includes(id) ? SECRET : undefined);

/** What goes over the wire, read as the service reads it. */
function received(
  method: string,
  path: string,
  query: [string, string][],
  headers: Record<string, string>,
): RequestToVerify {
  const pairs = query.map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`);
  const url = pairs.length > 0 ? `${path}?${pairs.join('&')}` : path;
  const address = parseAddress({ url, headers }, []);
  return { method, path: address.path, query: address.query, headers };
}

/** A request of any kind, signed by the signer of the SDKs. */
async function signedBySdk(dice: Dice): Promise<RequestToVerify> {
  const how = dice.pick(['header', 'query']);
  const method = dice.pick(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);
  const key = dice.text(40) || 'k';
  const path = dice.oneOf(3) ? `/bucket/${encodeURIComponent(key)}` : encodePath(`/bucket/${key}`);
  const query = Object.fromEntries(dice.list(4, () => [`q${dice.text(6)}`, dice.text(20)]));
  const meta = Object.fromEntries(dice.list(3, () => [`x-amz-meta-${dice.text(5, [...'abc-0'])}m`, spaced(dice)]));
  const payload = dice.pick([
    ...['UNSIGNED-PAYLOAD', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'],
    createHash('sha256').digest('hex'),
  ]);
  const accessKeyId = dice.pick(KEYS);
  const signer = new SignatureV4({
    service: 's3',
    region: dice.pick(['us-east-1', 'eu-west-3', 'x', 'far-away-77']),
    credentials: { accessKeyId, secretAccessKey: SECRET },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: how === 'header',
  });
  const headers = { host: dice.pick(['larder', 'larder:9000', 'b.s3.site']), 'x-amz-content-sha256': payload, ...meta };
  const request = { method, protocol: 'http:', hostname: 'larder', path, query, headers };
  const signingDate = new Date(NOW - dice.int(800_000));
  const done = await (how === 'header'
    ? signer.sign(request, { signingDate })
    : signer.presign(request, { signingDate, expiresIn: 3600 }));
  const sent = Object.entries(done.headers).map(([name, value]) => [name.toLowerCase(), value.trim()]);
  return received(method, path, Object.entries(done.query ?? {}) as [string, string][], Object.fromEntries(sent));
}

const spaced = (dice: Dice) => `v${dice.text(12, [...VISIBLE, ' ', ' '])}v`;

/** Another character in the place of one. */
function other(dice: Dice, text: string, letters: readonly string[] = VISIBLE): string {
  const all = [...text];
  const at = dice.int(all.length);
  all[at] = dice.pick(letters.filter((one) => one !== all[at]));
  return all.join('');
}

/** Changes one thing that is signed. */
function forged(dice: Dice, request: RequestToVerify): RequestToVerify {
  const { method, path, query, headers } = request;
  const kinds: (() => RequestToVerify)[] = [
    () => ({ ...request, method: dice.pick(['GET', 'PUT', 'POST', 'DELETE', 'HEAD'].filter((one) => one !== method)) }),
    () => ({ ...request, path: encodePath(other(dice, decodeURIComponent(path), [...'abcxyz'])) }),
    () => ({ ...request, query: [...query, [dice.text(5) || 'a', dice.text(5)]] }),
    () => ({ ...request, headers: { ...headers, 'x-amz-acl': 'public-read' } }),
  ];
  const names = Object.keys(headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  const name = dice.pick(names);
  kinds.push(() => ({ ...request, headers: { ...headers, [name]: other(dice, headers[name]!) } }));
  kinds.push(() => {
    const { [name]: _gone, ...rest } = headers;
    return { ...request, headers: rest };
  });
  const at = query.findIndex(([, value]) => value !== '' && dice.oneOf(2));
  if (at >= 0)
    kinds.push(() => ({
      ...request,
      query: query.map(([one, value], place) => [
        one,
        place === at ? other(dice, value, [...'0123456789abcdef']) : value,
      ]),
    }));
  if (query.length > 0)
    kinds.push(() => ({ ...request, query: query.filter((_, place) => place !== at && place !== 0) }));
  if (headers.authorization)
    kinds.push(() => {
      const [before = '', behind = ''] = headers.authorization!.split('Signature=');
      return {
        ...request,
        headers: { ...headers, authorization: `${before}Signature=${other(dice, behind, [...'0123456789abcdef'])}` },
      };
    });
  return dice.pick(kinds)();
}

/** Nothing but an error of S3's may be thrown. @returns what was given instead */
async function orRefused<T>(act: () => Promise<T>): Promise<T | S3Error> {
  return act().catch((error) => {
    expect(error).toBeInstanceOf(S3Error);
    return error as S3Error;
  });
}

describe('whatever is asked', () => {
  test('what the signer of the SDKs has signed is let in, and is not when one thing in it is another', async () => {
    await fuzz(300, async (dice) => {
      const request = await signedBySdk(dice);
      const verified = await verifyRequest(request, secretOf, NOW);
      expect(KEYS).toContain(verified?.accessKeyId);
      for (let round = 0; round < 4; round += 1) {
        const forgery = forged(dice, request);
        const found = await orRefused(() => verifyRequest(forgery, secretOf, NOW));
        // the blanks of a field are not signed as they are, and without its signature a request is nobody's
        if (!(found instanceof S3Error) && found !== undefined) expect(canonical(forgery)).toEqual(canonical(request));
      }
    });
  });

  test('an authorization with other bytes in it says the same, or is refused', async () => {
    await fuzz(800, async (dice) => {
      const request = await signedBySdk(dice);
      const { authorization } = request.headers;
      const query = request.query.map(([name, value]) => `${name}=${value}`).join('&');
      if (authorization) {
        const headers = {
          ...request.headers,
          authorization: dice.changed(Buffer.from(authorization)).toString('latin1'),
        };
        const found = await orRefused(() => verifyRequest({ ...request, headers }, secretOf, NOW));
        if (found !== undefined && !(found instanceof S3Error))
          expect(readSignedRequest(headers, [])).toEqual(readSignedRequest(request.headers, []));
      } else {
        const url = `${request.path}?${dice.changed(Buffer.from(query)).toString('latin1')}`;
        const address = await orRefused(async () => parseAddress({ url, headers: request.headers }, []));
        if (address instanceof S3Error) return;
        await orRefused(() => verifyRequest({ ...request, query: address.query }, secretOf, NOW));
      }
    });
  });

  test('an address signed with version 2 is taken as it was signed, and in no other way', async () => {
    await fuzz(600, async (dice) => {
      const method = dice.pick(['GET', 'PUT']);
      const resource = encodePath(`/bucket/${dice.text(20)}`);
      const expires = String(NOW / 1000 + 60);
      const signature = createHmac('sha1', SECRET)
        .update(`${method}\n\n\n${expires}\n${resource}?versionId=1`)
        .digest('base64');
      const query: [string, string][] = [
        ['versionId', '1'],
        ['AWSAccessKeyId', 'key'],
        ['Signature', signature],
        ['Expires', expires],
      ];
      const request = { method, resource, query, headers: {} };
      expect(await verifyPresignedV2(request, secretOf, NOW)).toBe('key');
      const at = dice.int(query.length);
      const changed = query.map(([name, value], place): [string, string] => [
        name,
        place === at ? dice.changed(Buffer.from(value)).toString('latin1') : value,
      ]);
      const forgeries = [
        { ...request, query: changed },
        { ...request, resource: dice.changed(Buffer.from(resource)).toString('latin1') },
      ];
      for (const forgery of forgeries)
        expect(await orRefused(() => verifyPresignedV2(forgery, secretOf, NOW))).toBeInstanceOf(S3Error);
      expect(isPresignedV2(changed)).toBe(true);
    });
  });

  test('no address and no authorization is anything but understood or refused', async () => {
    await fuzz(3000, async (dice) => {
      const odd = () => dice.pick([dice.text(30), dice.bytes(20).toString('latin1'), 'constructor', '__proto__', '']);
      const url = `/${dice.text(40)}?${dice.text(10)}&X-Amz-Algorithm=${dice.text(3)}`;
      const headers = {
        host: odd(),
        authorization: `AWS4-HMAC-SHA256 Credential=${odd()}/20261124/${odd()}/s3/aws4_request,SignedHeaders=${odd()},Signature=${odd()}`,
        'x-amz-date': dice.pick(['20261124T120000Z', odd()]),
        'x-amz-content-sha256': odd(),
      };
      const address = await orRefused(async () => parseAddress({ url, headers }, ['s3.site']));
      if (address instanceof S3Error) return;
      const request = { method: 'GET', path: address.path, query: dice.oneOf(2) ? [] : address.query, headers };
      expect(await orRefused(() => verifyRequest(request, async () => SECRET, NOW))).toBeInstanceOf(S3Error);
    });
  });
});

/** What a signature is of. */
function canonical({ method, path, query, headers }: RequestToVerify) {
  const trimmed = Object.entries(headers).map(([name, value]) => [name, value?.trim().replace(/\s+/g, ' ')]);
  return { method, path: decodeURIComponent(path), query: [...query].sort(), headers: Object.fromEntries(trimmed) };
}

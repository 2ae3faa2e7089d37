import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHUNK, countOfXorbs, framedLength, openXorb, termsOf, XORB } from '../../../services/huggingface/xorbs.ts';
import { type Site, startSite } from './support.ts';

const BYTES = randomBytes(XORB + 3 * CHUNK + 123);
const open = async ({ start, end }: { start: number; end: number }) =>
  Readable.from([BYTES.subarray(start, end + 1)], { objectMode: false });
const all = async (stream: Readable) => Buffer.concat(await stream.toArray());

/** What Xet's client makes of a xorb: chunks, each behind its header. */
function unframed(xorb: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < xorb.length; ) {
    const [version, stored, scheme, plain] = [
      xorb[at],
      xorb.readUIntLE(at + 1, 3),
      xorb[at + 4],
      xorb.readUIntLE(at + 5, 3),
    ];
    expect([version, scheme, stored]).toEqual([0, 0, plain]);
    chunks.push(xorb.subarray(at + 8, at + 8 + stored));
    at += 8 + stored;
  }
  return Buffer.concat(chunks);
}

describe('xorbs', () => {
  test('hold the file, chunk by chunk, and are as long as they say', async () => {
    expect(countOfXorbs(BYTES.length)).toBe(2);
    const parts = [];
    for (const index of [0, 1]) {
      const xorb = await all(openXorb(BYTES.length, index, undefined, open));
      expect(xorb.length).toBe(framedLength(BYTES.length, index));
      parts.push(unframed(xorb));
    }
    expect(Buffer.concat(parts).equals(BYTES)).toBe(true);
  });

  test.each([
    [0, 0],
    [7, 8],
    [8, 20],
    [65_543, 65_544],
    [65_540, 65_560],
    [100_000, 300_000],
    [1_000_000, 1_000_000],
  ])('give bytes %i to %i of them as a slice of the whole', async (start, end) => {
    const whole = await all(openXorb(BYTES.length, 0, undefined, open));
    expect((await all(openXorb(BYTES.length, 0, { start, end }, open))).equals(whole.subarray(start, end + 1))).toBe(
      true,
    );
  });

  test.each([
    [0, 0],
    [0, BYTES.length - 1],
    [CHUNK - 1, CHUNK],
    [XORB - 1, XORB],
    [XORB + 5, BYTES.length - 1],
    [5, 2 * CHUNK],
  ])('terms for bytes %i to %i of the file cover them', async (start, end) => {
    const parts = [];
    for (const term of termsOf(BYTES.length, { start, end })) {
      const plain = unframed(await all(openXorb(BYTES.length, term.index, term.bytes, open)));
      expect(plain.length).toBe(term.plain);
      parts.push(plain);
    }
    const got = Buffer.concat(parts).subarray(start % CHUNK);
    expect(got.subarray(0, end - start + 1).equals(BYTES.subarray(start, end + 1))).toBe(true);
  });
});

describe('Xet, for files over a size', () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite({ xetFromBytes: 1_000_000 });
    site.hub.add({ id: 'acme/huge', files: { 'big.bin': BYTES, 'small.bin': BYTES.subarray(0, 5000) } });
  });
  afterAll(() => site.close());

  const offer = async () => {
    const { headers } = await site.ask('/acme/huge/resolve/main/big.bin', { method: 'HEAD' });
    return { hash: headers.get('x-xet-hash')!, link: /<([^>]+)>; rel="xet-auth"/.exec(headers.get('link')!)![1]! };
  };

  test('is offered for those alone, with an absolute address, in headers and trees', async () => {
    const { hash, link } = await offer();
    expect([hash.length, link.startsWith(`${site.url}/api/models/acme/huge/xet-read-token/`)]).toEqual([64, true]);
    expect(
      (await site.ask('/acme/huge/resolve/main/small.bin', { method: 'HEAD' })).headers.get('x-xet-hash'),
    ).toBeNull();
    const tree = await site.json<{ path: string; xetHash?: string }[]>('/api/models/acme/huge/tree/main');
    expect(Object.fromEntries(tree.map(({ path, xetHash }) => [path, xetHash]))).toEqual({
      'big.bin': hash,
      'small.bin': undefined,
    });
  });

  test.each(['v1', 'v2'])(
    'gives the file by reconstruction %s, with a token and without one nothing',
    async (version) => {
      const { hash, link } = await offer();
      const token = (await (await fetch(link)).json()) as { casUrl: string; accessToken: string };
      const at = `${token.casUrl}/${version}/reconstructions/${hash}`;
      expect((await fetch(at)).status).toBe(403);
      const headers = { authorization: `Bearer ${token.accessToken}`, range: `bytes=70000-${XORB + 10}` };
      const plan = (await (await fetch(at, { headers })).json()) as {
        offset_into_first_range: number;
        terms: { hash: string }[];
        xorbs?: Record<string, { url: string; ranges: { bytes: { start: number; end: number } }[] }[]>;
        fetch_info?: Record<string, { url: string; url_range: { start: number; end: number } }[]>;
      };
      const parts = [];
      for (const term of plan.terms) {
        const v2 = plan.xorbs?.[term.hash]?.[0];
        const v1 = plan.fetch_info?.[term.hash]?.[0];
        const { start, end } = v2 ? v2.ranges[0]!.bytes : v1!.url_range;
        const answer = await fetch((v2 ?? v1)!.url, { headers: { range: `bytes=${start}-${end}` } });
        expect(answer.status).toBe(206);
        parts.push(unframed(Buffer.from(await answer.arrayBuffer())));
      }
      const got = Buffer.concat(parts).subarray(plan.offset_into_first_range);
      expect(got.subarray(0, XORB + 11 - 70000).equals(BYTES.subarray(70000, XORB + 11))).toBe(true);
      expect((await fetch(at, { headers: { ...headers, range: 'bytes=99999999999-' } })).status).toBe(416);
    },
  );
});

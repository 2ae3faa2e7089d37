import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS, algorithmOf, fieldOf, startChecksum } from '../../../services/s3/body/checksums.ts';
import { ChunkSignatures } from '../../../services/s3/body/chunk-signatures.ts';
import { type ChunkedOptions, unchunked } from '../../../services/s3/body/chunked.ts';

/** In pieces of so many bytes: a body is cut wherever it likes. */
async function* inPieces(text: string | Buffer, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

async function read(text: string | Buffer, options: ChunkedOptions, size = 1000) {
  let trailers: Record<string, string> | undefined;
  const ended = (found: Record<string, string>) => {
    trailers = found;
  };
  const chunks: Buffer[] = [];
  for await (const chunk of unchunked(inPieces(text, size), { ...options, ended })) chunks.push(chunk);
  return { text: Buffer.concat(chunks).toString(), trailers };
}

describe('a body in chunks', () => {
  const body = '5\r\nhello\r\nA\r\n, \r\nworld!\r\n0\r\nx-amz-checksum-crc32: AAAAAA== \r\n\r\n';

  test.each([1, 2, 3, 7, 1000])('is put together, and its trailers are read, in pieces of %i bytes', async (size) => {
    expect(await read(body, { trailers: ['x-amz-checksum-crc32'] }, size)).toEqual({
      text: 'hello, \r\nworld!',
      trailers: { 'x-amz-checksum-crc32': 'AAAAAA==' },
    });
  });

  const BROKEN: [string, string][] = [
    ['ends in a chunk', '5\r\nhel'],
    ['ends after a chunk', '5\r\nhello\r\n'],
    ['ends in its trailers', '0\r\nx-a: 1\r\n'],
    ['has a longer chunk than it says', '4\r\nhello\r\n0\r\n\r\n'],
    ['has a size that is none', 'xyz\r\nhello\r\n0\r\n\r\n'],
    ['has a size below zero', '-1\r\n\r\n0\r\n\r\n'],
    ['has a size that no number can be', `${'f'.repeat(20)}\r\nhello\r\n0\r\n\r\n`],
    ['goes on behind its end', '0\r\n\r\nmore'],
    ['has a trailer that is none', '0\r\nno trailer\r\n\r\n'],
    ['has a line without an end', 'a'.repeat(100_000)],
    ['has too many trailers', `0\r\n${'x-a: 1234567890\r\n'.repeat(2000)}\r\n`],
    ['is empty', ''],
  ];
  test.each(BROKEN)('that %s is refused', async (_what, text) => {
    await expect(read(text, { trailers: ['x-a'] }, 777)).rejects.toMatchObject({
      code: expect.stringMatching(/^(IncompleteBody|MalformedTrailerError)$/),
    });
  });

  test('whatever it holds is taken or refused, and nothing else', async () => {
    let seed = 7;
    const random = (most: number) => {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
      return seed % most;
    };
    for (let round = 0; round < 3000; round += 1) {
      const bytes = Buffer.from(body);
      for (let change = 0; change <= random(3); change += 1) bytes[random(bytes.length)] = random(256);
      await read(bytes.subarray(0, random(bytes.length + 1)), { trailers: ['x-a'] }, 1 + random(20)).catch((error) => {
        expect(error).toMatchObject({ code: expect.stringMatching(/^(IncompleteBody|MalformedTrailerError)$/) });
      });
    }
  });
});

/** The example of the documentation (sigv4-streaming.html). */
describe('chunks that are signed', () => {
  const seed = {
    timestamp: '20130524T000000Z',
    scope: '20130524/us-east-1/s3/aws4_request',
    signature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    key: {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      region: 'us-east-1',
      service: 's3',
    },
  };
  const first = 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648';
  const second = '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497';
  const last = 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9';
  const chunk = (size: number, signature: string) =>
    `${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}\r\n`;
  const body = chunk(65_536, first) + chunk(1024, second) + chunk(0, last);
  const take = (text: string) => read(text, { signatures: new ChunkSignatures(seed) }, 10_000);

  test('are taken as the documentation has them', async () => {
    expect((await take(body)).text).toBe('a'.repeat(66_560));
  });

  test.each([
    ['changed', body.replace('aaaa', 'aaab')],
    ['left out', chunk(65_536, first) + chunk(0, last)],
    ['sent twice', chunk(65_536, first) + body],
    ['moved', chunk(1024, second) + chunk(65_536, first) + chunk(0, last)],
    ['signed with something else', body.replace(second, first)],
  ])('are refused when one is %s', async (_how, text) => {
    await expect(take(text)).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
  });

  test('are refused when one is not signed', async () => {
    await expect(take('1\r\na\r\n0\r\n\r\n')).rejects.toMatchObject({ code: 'IncompleteBody' });
  });

  test('and their trailers are taken and refused by their own signature', async () => {
    const wanted = new ChunkSignatures(seed);
    const hash = (text: string) => createHash('sha256').update(text).digest('hex');
    const [one, end] = [wanted.next(hash('hello')), wanted.next(hash(''))];
    const trailer = wanted.trailer('x-amz-checksum-crc32c:AAAAAA==\n');
    const text = (value: string) =>
      `5;chunk-signature=${one}\r\nhello\r\n0;chunk-signature=${end}\r\nx-amz-checksum-crc32c:${value}\r\nx-amz-trailer-signature:${trailer}\r\n\r\n`;
    const options = () => ({ trailers: ['x-amz-checksum-crc32c'], signatures: new ChunkSignatures(seed) });
    expect((await read(text('AAAAAA=='), options())).trailers).toEqual({ 'x-amz-checksum-crc32c': 'AAAAAA==' });
    await expect(read(text('AAAAAQ=='), options())).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
    const unsigned = text('AAAAAA==').replace(/x-amz-trailer-signature.*\r\n\r\n/, '\r\n');
    await expect(read(unsigned, options())).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
  });
});

describe('checksums', () => {
  /** Of "123456789", as the catalogue of CRCs has them. */
  const CHECK: Record<string, string> = {
    CRC32: 'cbf43926',
    CRC32C: 'e3069283',
    CRC64NVME: 'ae8b14860a799888',
    SHA1: createHash('sha1').update('123456789').digest('hex'),
    SHA256: createHash('sha256').update('123456789').digest('hex'),
    SHA512: createHash('sha512').update('123456789').digest('hex'),
    MD5: createHash('md5').update('123456789').digest('hex'),
    // https://github.com/Cyan4973/xxHash, its own command
    XXHASH64: '8cb841db40e6ae83',
    XXHASH3: '72dcb18b67a17dff',
    XXHASH128: '33119477ede5dcd5e9716427681d5860',
  };
  test.each(ALGORITHMS)('%s of bytes in pieces', async (algorithm) => {
    const checksum = await startChecksum(algorithm);
    for (const piece of ['1', '2345', '', '6789']) checksum.update(Buffer.from(piece));
    expect(Buffer.from(checksum.digest(), 'base64').toString('hex')).toBe(CHECK[algorithm]);
    expect(algorithmOf(algorithm.toLowerCase())).toBe(algorithm);
    expect(fieldOf(algorithm)).toBe(`x-amz-checksum-${algorithm.toLowerCase()}`);
  });
});

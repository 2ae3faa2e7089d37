import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ChunkSeed, ChunkSignatures } from '../../services/s3/body/chunk-signatures.ts';
import { unchunked } from '../../services/s3/body/chunked.ts';
import { S3Error } from '../../services/s3/errors.ts';
import { checkPolicy, parsePolicy } from '../../services/s3/form/policy.ts';
import { readForm } from '../../services/s3/form/read-form.ts';
import { verifyForm } from '../../services/s3/form/verify-form.ts';
import { type Parsed, readXml } from '../../services/s3/read-xml.ts';
import { element, type Xml, xmlDocument } from '../../services/s3/xml.ts';
import { type Dice, FUZZ_TIMEOUT, fuzz, ODD } from '../support/fuzz.ts';
import { frames } from '../support/s3-wire.ts';

vi.setConfig({ testTimeout: FUZZ_TIMEOUT });

/** What nobody heard: it would end the process of a service. */
const unheard: unknown[] = [];
const hear = (error: unknown) => void unheard.push(error);
beforeAll(() => void process.on('unhandledRejection', hear).on('uncaughtException', hear));
afterAll(() => {
  process.off('unhandledRejection', hear).off('uncaughtException', hear);
  expect(unheard).toEqual([]);
});

async function orRefused<T>(act: () => Promise<T> | T): Promise<T | S3Error> {
  try {
    return await act();
  } catch (error) {
    expect(error).toBeInstanceOf(S3Error);
    return error as S3Error;
  }
}

const SEED: ChunkSeed = {
  timestamp: '20261124T120000Z',
  scope: '20261124/us-east-1/s3/aws4_request',
  signature: createHash('sha256').update('the request').digest('hex'),
  key: { accessKeyId: 'key', secretAccessKey: 'secret', region: 'us-east-1', service: 's3' },
};
const TRAILER = 'x-amz-checksum-crc32';

interface Body {
  plain: Buffer;
  framed: Buffer;
  signed: boolean;
  trailers: string[] | undefined;
}

function bodyOf(dice: Dice): Body {
  const chunks = dice
    .list(8, () => dice.bytes(1 + dice.int(dice.pick([1, 20, 300]))))
    .map((chunk) => (dice.oneOf(40) ? Buffer.alloc(20_000, chunk) : chunk));
  const signed = dice.oneOf(2);
  const trailers = dice.oneOf(2) ? [TRAILER] : undefined;
  const { frames: framed, trailer } = frames([...chunks, ''], signed ? SEED : undefined);
  const line = `${TRAILER}:${dice.pick(['AAAAAA==', 'abc='])}`;
  const signature = signed ? `x-amz-trailer-signature:${trailer(`${line}\n`)}\r\n` : '';
  const end = trailers ? `${line}\r\n${signature}\r\n` : '\r\n';
  return { plain: Buffer.concat(chunks), framed: Buffer.concat([...framed, Buffer.from(end)]), signed, trailers };
}

async function read({ signed, trailers }: Body, pieces: AsyncIterable<Buffer>) {
  const signatures = signed ? new ChunkSignatures(SEED) : undefined;
  let found: Record<string, string> | undefined;
  const ended = (told: Record<string, string>) => {
    found = told;
  };
  const chunks: Buffer[] = [];
  for await (const chunk of unchunked(pieces, { signatures, trailers, ended })) chunks.push(chunk);
  return { bytes: Buffer.concat(chunks), trailers: found };
}

describe('a body in chunks', () => {
  test('is what was sent, wherever it was cut; and what is changed is refused, of what is signed always', async () => {
    await fuzz(200, async (dice) => {
      const body = bodyOf(dice);
      const whole = await read(body, dice.pieces(body.framed));
      expect(whole.bytes.equals(body.plain)).toBe(true);
      expect(Object.keys(whole.trailers!)).toEqual(body.trailers ?? []);
      for (let round = 0; round < 4; round += 1) {
        const found = await orRefused(() => read(body, dice.pieces(dice.changed(body.framed))));
        if (found instanceof S3Error || !body.signed) continue;
        // a size may be written in other digits, and blanks stand where they like
        expect(found).toEqual(whole);
      }
      const cut = body.framed.subarray(0, dice.int(body.framed.length));
      expect(await orRefused(() => read(body, dice.pieces(cut)))).toBeInstanceOf(S3Error);
    });
  });
});

type Tree = string | { [name: string]: Tree };
const NAMES = ['Key', 'ETag', 'a', 'constructor', 'toString', 'x.y-z'];

function treeOf(dice: Dice, depth: number): Tree {
  if (depth === 0 || dice.oneOf(3)) return dice.text(12, [...ODD, '&amp;', '&#1;', ']]>', '<!--']);
  return Object.fromEntries(dice.list(3, () => dice.pick(NAMES)).map((name) => [name, treeOf(dice, depth - 1)]));
}

const xmlOf = (tree: Tree): string | readonly Xml[] =>
  typeof tree === 'string' ? tree : Object.entries(tree).map(([name, inner]) => element(name, xmlOf(inner)));

/** An element without any in it reads as one of no text. */
const asRead = (tree: Tree): unknown =>
  typeof tree === 'string'
    ? tree
    : Object.keys(tree).length === 0
      ? ''
      : Object.fromEntries(Object.entries(tree).map(([name, inner]) => [name, asRead(inner)]));

describe('a document', () => {
  test('of ours is read as it was, and a changed one is read or refused', async () => {
    await fuzz(1500, async (dice) => {
      const inner = treeOf(dice, 3);
      const tree = { Delete: { ...(typeof inner === 'string' ? {} : inner), Item: treeOf(dice, 1) } };
      const bytes = Buffer.from(xmlDocument(element('Delete', xmlOf(tree.Delete))));
      expect(plainOf(readXml(bytes, 'Delete'))).toEqual(asRead(tree.Delete));
      for (let round = 0; round < 3; round += 1) {
        const found = await orRefused(() => readXml(dice.changed(bytes), 'Delete'));
        if (found instanceof S3Error) expect(found.code).toBe('MalformedXML');
      }
      const found = await orRefused(() =>
        readXml(Buffer.from(dice.text(60, [...'<>/&;#x1!-[]"= ', 'Delete', 'CDATA', '&lt;'])), 'Delete'),
      );
      if (found instanceof S3Error) expect(found.code).toBe('MalformedXML');
    });
  });
});

const plainOf = (parsed: Parsed): unknown => JSON.parse(JSON.stringify(parsed));

describe('a form', () => {
  const BOUNDARY = 'fuzz-boundary';
  const part = (head: string, body: Buffer) =>
    Buffer.concat([
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
      body,
      Buffer.from('\r\n'),
    ]);

  function read(pieces: AsyncIterable<Buffer>) {
    const req = Object.assign(Readable.from(pieces, { objectMode: false }), {
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    });
    return readForm(req as never, async (file, _name, fields) => {
      // somebody looks at the fields first: a form may break off meanwhile
      await new Promise((done) => setImmediate(done));
      const through = file.pipe(new PassThrough());
      file.on('error', (error) => through.destroy(error));
      const chunks: Buffer[] = [];
      for await (const chunk of through) chunks.push(chunk as Buffer);
      return { fields: Object.fromEntries(fields), bytes: Buffer.concat(chunks) };
    });
  }

  test('is what was sent, wherever it was cut; and a changed one is read or refused', async () => {
    await fuzz(150, async (dice) => {
      const fields = Object.fromEntries(dice.list(4, () => [`f${dice.int(100)}`, dice.text(20)]));
      const bytes = dice.bytes(dice.int(2000));
      const body = Buffer.concat([
        ...Object.entries(fields).map(([name, value]) => part(`name="${name}"`, Buffer.from(value))),
        part('name="file"; filename="x"', bytes),
        Buffer.from(`--${BOUNDARY}--\r\n`),
      ]);
      const whole = await read(dice.pieces(body));
      expect(whole.fields).toEqual(fields);
      expect(whole.bytes.equals(bytes)).toBe(true);
      // what fails its file is said in words of the parser, where our own reader says it in S3's
      const changed = await read(dice.pieces(dice.changed(body))).catch((error) => error);
      if (changed instanceof Error && !(changed instanceof S3Error))
        expect(changed.message).toMatch(/form|Malformed part/);
      await expect(read(dice.pieces(body.subarray(0, dice.int(body.length - 4))))).rejects.toBeInstanceOf(Error);
    });
  });

  test('has a policy that is one, or is refused', async () => {
    await fuzz(3000, async (dice) => {
      const odd = (): unknown =>
        dice.pick<unknown>([
          dice.text(8),
          1,
          -1,
          null,
          true,
          {},
          [],
          { toString: 1, valueOf: 1 },
          ['eq', '$key', 'a'],
          '',
        ]);
      const condition = (): unknown =>
        dice.pick<unknown>([
          odd(),
          [dice.pick(['eq', 'starts-with', 'content-length-range', odd()]), odd(), odd()],
          [odd()],
          { [dice.text(4) || 'key']: odd() },
          ['eq', '$key', 'a'],
        ]);
      const document = JSON.stringify({
        [dice.oneOf(20) ? dice.text(5) : 'expiration']: dice.oneOf(5) ? odd() : '2099-01-01T00:00:00Z',
        conditions: dice.oneOf(10) ? odd() : dice.list(4, condition),
      });
      const bytes = dice.oneOf(3) ? dice.changed(Buffer.from(document)) : Buffer.from(document);
      const base64 = dice.oneOf(10) ? dice.text(20) : bytes.toString('base64');
      const form = new Map([
        ['key', dice.pick(['a', dice.text(5)])],
        ['policy', base64],
        ['x-amz-credential', dice.text(30)],
        ['x-amz-algorithm', 'AWS4-HMAC-SHA256'],
        ['x-amz-date', '20261124T120000Z'],
        ['x-amz-signature', dice.text(10)],
      ]);
      const found = await orRefused(() => checkPolicy(parsePolicy(base64), form, 'bucket', 0));
      if (!(found instanceof S3Error)) expect(found.least).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
      expect(await orRefused(() => verifyForm(form, async () => 'secret'))).toBeInstanceOf(S3Error);
    });
  });
});

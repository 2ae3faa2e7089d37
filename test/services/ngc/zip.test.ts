import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Entry, fromBuffer, type Options, type ZipFile } from 'yauzl';
import { zipOf } from '../../../services/ngc/zip-body.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { checksumsOf } from '../../support/nim-models.ts';
import { askRaw, descriptionOf, type Site, startSite } from './support.ts';

const FILES = {
  'config/metadata.json': '{"a":1}',
  'weights.pth': Buffer.alloc(300_000, 'weights'),
  'empty.txt': '',
  'ä b+c.txt': 'odd',
};
const PLACE = '/v2/models/nvidia/tao/ocrnet/versions/v1+2';
const ZIP = `${PLACE}/zip`;

/** What an archive holds, as another program reads it. */
async function unzipped(bytes: Buffer): Promise<Record<string, Buffer>> {
  const open = promisify(fromBuffer) as (bytes: Buffer, options: Options) => Promise<ZipFile>;
  const archive = await open(bytes, { lazyEntries: true });
  const found: Record<string, Buffer> = {};
  const read = promisify(archive.openReadStream.bind(archive) as never) as (entry: Entry) => Promise<Readable>;
  archive.on('entry', async (entry: Entry) => {
    found[entry.fileName] = Buffer.concat(await (await read(entry)).toArray());
    archive.readEntry();
  });
  archive.readEntry();
  await once(archive, 'end');
  return found;
}

const texts = (files: Record<string, Buffer | string>) =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes).toString('latin1')]));

describe('an archive of a version', () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite();
    site.ngc.add({ id: 'nvidia/tao/ocrnet', version: 'v1+2', files: FILES });
    site.ngc.add({ id: 'nvidia/tao/licensed', version: '1', files: FILES, refuses: 412 });
    site.ngc.add({ id: 'nvidia/tao/lying', version: '1', files: FILES, lies: { 'weights.pth': { size: 299_999 } } });
    site.ngc.add({ kind: 'resources', id: 'nvidia/genmol', version: '1', files: { 'run.sh': 'ls' } });
  });
  afterAll(() => site?.close());

  test('has all its files as they are, and its size is told before', async () => {
    const answer = await site.ask(ZIP);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/zip');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="files.zip"');
    expect(Number(answer.headers.get('content-length'))).toBe(answer.bytes.length);
    expect(texts(await unzipped(answer.bytes))).toEqual(texts(FILES));
    const head = await site.ask(ZIP, { method: 'HEAD' });
    expect([head.status, head.bytes.length]).toEqual([200, 0]);
    for (const name of ['content-length', 'etag', 'content-disposition', 'content-type'])
      expect([name, head.headers.get(name)]).toEqual([name, answer.headers.get(name)]);
  });

  test('is had by every spelling of its address, of resources too', async () => {
    const whole = (await site.ask(ZIP)).bytes;
    for (const path of [
      '/v2/org/nvidia/team/tao/models/ocrnet/versions/v1+2/zip',
      '/v2/org/nvidia/team/tao/models/ocrnet/versions/v1%2B2/zip/',
      `/ngc${ZIP}`,
    ])
      expect([path, (await site.ask(path)).bytes.equals(whole)]).toEqual([path, true]);
    const { bytes } = await site.ask('/v2/resources/nvidia/genmol/versions/1/zip');
    expect(texts(await unzipped(bytes))).toEqual({ 'run.sh': 'ls' });
  });

  test('is the same each time, so that whoever was cut off goes on where it was', async () => {
    const whole = await site.ask(ZIP);
    const etag = whole.headers.get('etag')!;
    const half = whole.bytes.length >> 1;
    const ask = (range: string) => site.ask(ZIP, { headers: { range, 'if-range': etag } });
    const rest = await ask(`bytes=${half}-`);
    expect([rest.status, rest.bytes.equals(whole.bytes.subarray(half))]).toEqual([206, true]);
    const part = await ask('bytes=100000-200000');
    expect([part.status, part.bytes.equals(whole.bytes.subarray(100_000, 200_001))]).toEqual([206, true]);
    expect((await ask('bytes=0-')).bytes.equals(whole.bytes)).toBe(true);
    expect((await ask(`bytes=${whole.bytes.length}-`)).status).toBe(416);
    // several would each be read from the beginning
    expect((await ask('bytes=1-2,5-6')).status).toBe(200);
    expect((await site.ask(ZIP, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  test('is refused in words where NGC refuses its files, before anything is sent', async () => {
    const answer = await site.ask('/v2/models/nvidia/tao/licensed/versions/1/zip');
    expect(answer.status).toBe(412);
    expect(descriptionOf(answer)).toMatch(/licence terms/);
    expect((await site.ask('/v2/models/nvidia/tao/ocrnet/versions/none/zip')).status).toBe(404);
  });

  test('is had by the checksums where NGC shows nobody the list of its files', async () => {
    const files = { 'config.json': '{}', 'w.bin': 'weights' };
    const all = { ...files, 'checksums.blake3': await checksumsOf(files) };
    site.ngc.add({ id: 'nim/meta/gated', version: '1', files: all });
    site.ngc.fail({ path: '/gated/versions/1/files?', status: 403, times: 1000 });
    const answer = await site.ask('/v2/models/nim/meta/gated/versions/1/zip');
    expect(texts(await unzipped(answer.bytes))).toEqual(texts(all));
  });

  test('never looks whole when a file turns out to be another one', async () => {
    await expect(site.ask('/v2/models/nvidia/tao/lying/versions/1/zip')).rejects.toThrow();
  });

  test('ends what it reads when its client leaves, and the mirror goes on', async () => {
    const { pathname, hostname, port } = new URL(site.url + ZIP);
    const asked = get({ pathname, hostname, port, path: pathname });
    const [answer] = (await once(asked, 'response')) as [Readable];
    answer.once('error', () => undefined);
    answer.destroy();
    expect((await site.ask(ZIP)).status).toBe(200);
  });

  test('behind the gap is there when all of it is held, and else names what is not', async () => {
    const folder = await temporaryFolder();
    const store = join(folder.path, 'store');
    const { ngc } = site;
    const before = await startSite({}, { ngc, store });
    expect((await before.ask(ZIP)).status).toBe(200);
    ngc.add({ id: 'nvidia/tao/parts', version: '1', files: FILES });
    expect((await before.ask('/v2/models/nvidia/tao/parts/versions/1/files/weights.pth')).status).toBe(200);
    await before.larder.settled();
    await before.close();
    const after = await startSite({}, { ngc, store, mode: 'airgapped' });
    try {
      expect(texts(await unzipped((await after.ask(ZIP)).bytes))).toEqual(texts(FILES));
      for (const method of ['GET', 'HEAD'])
        expect((await after.ask('/v2/models/nvidia/tao/parts/versions/1/zip', { method })).status).toBe(404);
      const { text } = await askRaw(after.url, '/v2/models/nvidia/tao/parts/versions/1/zip');
      expect(text).toMatch(/config\/metadata\.json of model nvidia\/tao\/parts:1/);
    } finally {
      await after.close();
      await folder.remove();
    }
  });
});

describe('the body of an archive', () => {
  const date = new Date('2026-01-01T00:00:00Z');
  const facts = { etag: '"1"' };
  const folders: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const remove of folders.splice(0)) await remove();
  });
  /** Bytes that come when they are asked for, and no sooner. */
  const lazily = (size: number, made: { bytes: number }) =>
    Readable.from(
      (async function* () {
        for (let left = size; left > 0; ) {
          await new Promise((resolve) => setImmediate(resolve));
          const chunk = Buffer.alloc(Math.min(left, 1 << 20), 7);
          left -= chunk.length;
          made.bytes += chunk.length;
          yield chunk;
        }
      })(),
      { objectMode: false, highWaterMark: 1 << 20 },
    );

  test.each([0, 1, 700, 900, 3000])('of %i files has the size that was told before', async (count) => {
    const files = Array.from({ length: count }, (_, index) => ({
      path: `a/folder/of/files/with-a-name-${index}.bin`,
      size: index % 3,
      open: async () => Readable.from(index % 3 ? [Buffer.alloc(index % 3)] : [], { objectMode: false }),
    }));
    const archive = zipOf(files, date, facts);
    const bytes = Buffer.concat(await ((await archive.open()) as Readable).toArray());
    expect(bytes.length).toBe(archive.facts.size);
    expect(Object.keys(await unzipped(bytes))).toHaveLength(count);
  });

  test('opens one file at a time, and no further than it is read', async () => {
    const made = { bytes: 0 };
    let opened = 0;
    const file = (path: string) => ({
      path,
      size: 64 << 20,
      open: async () => {
        opened += 1;
        return lazily(64 << 20, made);
      },
    });
    const body = (await zipOf(['a', 'b', 'c'].map(file), date, facts).open()) as Readable;
    let read = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      read += chunk.length;
      expect(made.bytes - read).toBeLessThan(16 << 20);
      if (read > 10 << 20 && read < 12 << 20) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(opened).toBeLessThanOrEqual(1 + Math.floor((read + (16 << 20)) / (64 << 20)));
      if (opened === 2) break;
    }
    await new Promise((resolve) => setImmediate(resolve));
    const stopped = made.bytes;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(made.bytes - stopped).toBeLessThan(2 << 20);
  });

  test.each(['more', 'less'])('fails when a file has %s bytes than was said', async (which) => {
    const given = which === 'more' ? 11 : 9;
    const open = async () => Readable.from([Buffer.alloc(given)], { objectMode: false });
    const body = (await zipOf([{ path: 'a', size: 10, open }], date, facts).open()) as Readable;
    await expect(body.toArray()).rejects.toThrow(/unexpected number of bytes/);
  });

  test('fails when a file cannot be opened, or breaks off', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.alloc(5);
        throw new Error('the disk is gone');
      })(),
      { objectMode: false },
    );
    for (const open of [() => Promise.reject(new Error('the disk is gone')), async () => broken]) {
      const body = (await zipOf([{ path: 'a', size: 10, open }], date, facts).open()) as Readable;
      await expect(body.toArray()).rejects.toThrow('the disk is gone');
    }
  });

  test('is read by Python', async () => {
    const folder = await temporaryFolder();
    folders.push(folder.remove);
    const weights = Buffer.alloc(3_000_000, 'weights');
    const open = async () => Readable.from([weights], { objectMode: false });
    const archive = zipOf([{ path: 'ä/weights.bin', size: weights.length, open }], date, facts);
    const place = join(folder.path, 'a.zip');
    await writeFile(place, (await archive.open()) as Readable);
    const script = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])';
    await promisify(execFile)('python3', ['-c', script, place, folder.path]);
    const found = await readFile(join(folder.path, 'ä', 'weights.bin'));
    expect(createHash('md5').update(found).digest('hex')).toBe(createHash('md5').update(weights).digest('hex'));
  });
});

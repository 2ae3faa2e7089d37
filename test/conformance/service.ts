import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadService } from '../../services/load.ts';
import { type Kind, MirrorError } from '../../shared/model/errors.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

/** A file that the service has, and where its origin has it. */
export interface SampleFile {
  /** Ours. */
  path: string;
  /** The origin's. */
  originPath: string;
  bytes: Buffer;
}

/** What a service's own test tells of its protocol. */
export interface ServiceSample {
  /** Variables that point the service at the origin. */
  env: Record<string, string>;
  /** Two files whose digests the origin promises. */
  files: [SampleFile, SampleFile];
  /** A name that moves, and where its origin has it. */
  page: { path: string; originPath: string };
  /** A name that nobody has. */
  absent: string;
  /** A manifest item that needs the first file, without a resolver. */
  item: object;
}

/** Where services under test keep what they have. */
export interface Stores {
  /** A store of its own, empty: as `LARDER_STORE` says it. */
  location(name: string): string;
  /** What a Larder has to know beside that. */
  env: Record<string, string>;
  close(): Promise<void>;
}

async function foldersForStores(): Promise<Stores> {
  const { path, remove } = await temporaryFolder();
  return { location: (name) => join(path, name), env: {}, close: remove };
}

const KINDS = Object.keys({
  'bad-request': 0,
  unauthorized: 0,
  forbidden: 0,
  'not-found': 0,
  'not-acceptable': 0,
  conflict: 0,
  'too-large': 0,
  unsupported: 0,
  range: 0,
  'not-held': 0,
  'upstream-failed': 0,
  'upstream-denied': 0,
  corrupt: 0,
  'out-of-space': 0,
  unavailable: 0,
  internal: 0,
} satisfies Record<Kind, 0>) as Kind[];

/**
 * What must hold for every service, whatever it speaks and wherever its store lies.
 * @param storesIn a folder for each, when unset
 */
export function serviceConformance(
  name: string,
  sampleOn: (origin: OriginServer) => ServiceSample,
  storesIn: () => Promise<Stores> = foldersForStores,
): void {
  describe(`${name} as a service`, () => {
    let stores: Stores;
    let folder: { path: string; remove(): Promise<void> };
    let origin: OriginServer;
    let sample: ServiceSample;
    let server: SpawnedLarder;

    beforeAll(async () => {
      folder = await temporaryFolder();
      stores = await storesIn();
      origin = await startOriginServer();
      const { env, ...found } = sampleOn(origin);
      sample = { ...found, env: { ...env, ...stores.env } };
      server = await spawnLarder({ store: stores.location('connected'), env: sample.env });
    });

    afterAll(async () => {
      await server?.stop();
      await origin?.close();
      await stores?.close();
      await folder?.remove();
    });

    // one coding for all: another one is another representation, with another etag
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(server.urls[name] + path, { ...init, headers: { 'accept-encoding': 'identity', ...init.headers } });
    const statusOf = async (path: string, init?: RequestInit) => {
      const answer = await ask(path, init);
      // a body that nobody reads would keep the server from stopping
      await answer.body?.cancel();
      return answer.status;
    };
    const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

    test('ten clients of one cold file cost one download', async () => {
      const [file] = sample.files;
      const answers = await Promise.all(Array.from({ length: 10 }, async () => bytesOf(await ask(file.path))));
      expect(answers.every((bytes) => bytes.equals(file.bytes))).toBe(true);
      expect(origin.count(file.originPath)).toBe(1);
    });

    test('HEAD is GET without the body', async () => {
      for (const path of [sample.files[0].path, sample.page.path]) {
        const [get, head] = [await ask(path), await ask(path, { method: 'HEAD' })];
        expect((await bytesOf(head)).length).toBe(0);
        await get.arrayBuffer();
        // how an answer came about is its own, too: what the first one fetched is held for the second
        const own = ['date', 'x-request-id', 'x-larder-served', 'connection', 'keep-alive'];
        const fields = (answer: Response) => [...answer.headers].filter(([field]) => !own.includes(field));
        expect(fields(head)).toEqual(fields(get));
        expect(head.headers.get('content-length')).not.toBeNull();
      }
    });

    test.each([
      ['bytes=0-9', 0, 10],
      ['bytes=-7', -7, undefined],
      ['bytes=5-', 5, undefined],
    ])('range %s gives that part', async (range, start, end) => {
      const [file] = sample.files;
      const answer = await ask(file.path, { headers: { range } });
      expect(answer.status).toBe(206);
      expect((await bytesOf(answer)).equals(file.bytes.subarray(start, end))).toBe(true);
    });

    test('several ranges come in one answer, and impossible ones are refused with the size', async () => {
      const [file] = sample.files;
      const several = await ask(file.path, { headers: { range: 'bytes=0-1,4-5' } });
      expect(several.headers.get('content-type')).toMatch(/^multipart\/byteranges/);
      expect((await bytesOf(several)).length).toBe(Number(several.headers.get('content-length')));
      const impossible = await ask(file.path, { headers: { range: `bytes=${file.bytes.length}-` } });
      expect([impossible.status, impossible.headers.get('content-range')]).toEqual([
        416,
        `bytes */${file.bytes.length}`,
      ]);
    });

    test('what a client has is not sent again, and a range of something else is the whole', async () => {
      for (const path of [sample.files[0].path, sample.page.path]) {
        const etag = (await ask(path, { method: 'HEAD' })).headers.get('etag')!;
        expect(etag).toMatch(/^"[^"]+"$/);
        expect(await statusOf(path, { headers: { 'if-none-match': etag } })).toBe(304);
        expect(await statusOf(path, { headers: { range: 'bytes=0-0', 'if-range': '"other"' } })).toBe(200);
        expect(await statusOf(path, { headers: { range: 'bytes=0-0', 'if-range': etag } })).toBe(206);
      }
    });

    test('a corrupt download never looks complete and is not kept', async () => {
      const [, file] = sample.files;
      origin.fail({ path: file.originPath, corrupt: true });
      const answer = await ask(file.path)
        .then(bytesOf)
        .catch(() => undefined);
      expect(answer?.length === file.bytes.length).toBe(false);
      expect((await bytesOf(await ask(file.path))).equals(file.bytes)).toBe(true);
    });

    test('what is held is given while the origin is dark, and a name that nobody has is an error in words', async () => {
      await origin.goDark();
      expect(await statusOf(sample.page.path)).toBe(200);
      expect((await bytesOf(await ask(sample.files[0].path))).equals(sample.files[0].bytes)).toBe(true);
      const absent = await ask(sample.absent);
      expect(absent.status).toBeGreaterThanOrEqual(500);
      expect(await absent.text()).not.toMatch(/at .*:\d+:\d+/);
      await origin.comeBack();
      // the breaker may be open: other tests have an origin of their own
    });

    test('a bundle carries what an item needs to a site without a network', async () => {
      const manifest = join(folder.path, 'bundle.yaml');
      await writeFile(
        manifest,
        `format: larder-manifest/1\nname: conformance\nitems: [${JSON.stringify(sample.item)}]\n`,
      );
      const bundle = join(folder.path, 'bundle');
      const [connected, behindGap] = [stores.location('connected'), stores.location('site')];
      const { env } = sample;
      expect(await larder(['bundle', 'create', manifest, bundle, '--store', connected], { env })).toMatchObject({
        code: 0,
      });
      expect(await larder(['bundle', 'import', bundle, '--store', behindGap], { env: stores.env })).toMatchObject({
        code: 0,
      });
      const before = origin.calls().length;
      const site = await spawnLarder({ store: behindGap, env: { ...env, AIRGAPPED_MODE: 'true' } });
      const [file] = sample.files;
      expect((await bytesOf(await fetch(site.urls[name] + file.path))).equals(file.bytes)).toBe(true);
      expect((await fetch(site.urls[name] + sample.page.path)).status).toBe(200);
      expect((await fetch(site.urls[name] + sample.absent)).status).toBe(404);
      await site.stop();
      expect(origin.calls().length).toBe(before);
    });

    test.each(KINDS)('an error of kind %s has words of its own', async (kind) => {
      const service = await loadService(name);
      const { status, body } = service.renderError(new MirrorError(kind, 'thing', 'what is wrong, and what to do'));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(JSON.stringify(body ?? '').length).toBeGreaterThan(2);
      expect(kind === 'internal' ? JSON.stringify(body).includes('what is wrong') : false).toBe(false);
    });
  });
}

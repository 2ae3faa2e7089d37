import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { service as huggingface } from '../../services/huggingface/service.ts';
import { service as oci } from '../../services/oci/service.ts';
import { Tokens } from '../../shared/http/tokens.ts';
import type { Service } from '../../shared/service/service.ts';
import { type AccelNginx, startAccelNginx } from '../support/accel-nginx.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { type Hub, startHub } from '../support/hub.ts';
import { pushBlob } from '../support/image-push.ts';
import { sha } from '../support/images.ts';
import { startLarder, type TestLarder } from '../support/larder.ts';

const BYTES = randomBytes(3_000_000);
const DIGEST = sha(BYTES);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let hub: Hub;
let larder: TestLarder;
let nginx: Record<string, AccelNginx>;
/** The same bytes in two protocols. */
const PATHS: Record<string, string> = {
  oci: `/v2/team/app/blobs/${DIGEST}`,
  huggingface: '/acme/tiny/resolve/main/big.bin',
};

beforeAll(async () => {
  folder = await temporaryFolder();
  hub = await startHub({});
  hub.add({ id: 'acme/tiny', files: { 'big.bin': BYTES, 'config.json': '{}' } });
  const store = join(folder.path, 'store');
  larder = await startLarder({
    store,
    services: [oci, huggingface] as Service<unknown>[],
    config: {
      delivery: 'accel',
      deliveryMinBytes: 100_000,
      oci: { registries: [] },
      huggingface: { origin: hub.url },
    },
  });
  const tokens = new Tokens(larder.store.objects, { now: Date.now });
  const { secret } = await tokens.create({ name: 'ci', actions: ['read', 'write'], services: ['oci'] });
  const headers = { authorization: `Basic ${Buffer.from(`ci:${secret}`).toString('base64')}` };
  nginx = {
    oci: await startAccelNginx(larder.url('oci'), store),
    huggingface: await startAccelNginx(larder.url('huggingface'), store),
  };
  // uploads and first downloads go through nginx, too
  await pushBlob({ url: nginx.oci!.url, repository: 'team/app', headers }, DIGEST, BYTES);
  const first = await fetch(nginx.huggingface!.url + PATHS.huggingface);
  expect(Buffer.from(await first.arrayBuffer()).equals(BYTES)).toBe(true);
  await larder.settled();
});
afterAll(async () => {
  for (const one of Object.values(nginx ?? {})) await one.close();
  await larder?.close();
  await hub?.close();
  await folder?.remove();
});

const bodyOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

/** Without what each answer has of its own. */
function fieldsOf(answer: Response): Record<string, string> {
  const own = ['date', 'server', 'connection', 'keep-alive', 'x-request-id'];
  return Object.fromEntries([...answer.headers].filter(([name]) => !own.includes(name)));
}

/** How many bytes Larder itself sent for the last request. */
async function sentByLarder(requestId: string | null): Promise<unknown> {
  for (let tries = 0; tries < 200; tries += 1) {
    const line = larder.log().find(({ event, id }) => event === 'request' && id === requestId);
    if (line) return line.length;
    await new Promise((done) => setTimeout(done, 10));
  }
  return 'no line in the log';
}

describe.each(['oci', 'huggingface'])('%s behind nginx', (name) => {
  const ask = (headers: Record<string, string> = {}, method = 'GET') =>
    fetch(nginx[name]!.url + PATHS[name], { method, headers });

  test('nginx sends the bytes, and Larder none', async () => {
    const answer = await ask();
    expect((await bodyOf(answer)).equals(BYTES)).toBe(true);
    expect(await sentByLarder(answer.headers.get('x-request-id'))).toBe(0);
    expect(answer.headers.get('x-accel-redirect')).toBeNull();
  });

  test('its answer has every field that Larder’s own has', async () => {
    const [there, direct] = [await ask(), await fetch(larder.url(name) + PATHS[name])];
    await bodyOf(there);
    expect((await bodyOf(direct)).equals(BYTES)).toBe(true);
    expect(fieldsOf(there)).toEqual(fieldsOf(direct));
  });

  test('a HEAD says what a GET says', async () => {
    const [head, get] = [await ask({}, 'HEAD'), await ask()];
    await bodyOf(get);
    expect([head.status, fieldsOf(head)]).toEqual([200, fieldsOf(get)]);
  });

  test.each([
    ['bytes=0-999999', 0, 1_000_000],
    ['bytes=1000000-', 1_000_000, 3_000_000],
    ['bytes=-500000', 2_500_000, 3_000_000],
    ['bytes=5-9', 5, 10],
  ])('%s is that part', async (range, start, end) => {
    const answer = await ask({ range });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([206, `bytes ${start}-${end - 1}/3000000`]);
    expect((await bodyOf(answer)).equals(BYTES.subarray(start, end))).toBe(true);
  });

  test('several ranges, and one beyond the end, are answered by Larder', async () => {
    const several = await ask({ range: 'bytes=0-199999,300000-499999' });
    expect([several.status, several.headers.get('content-type')]).toEqual([
      206,
      expect.stringContaining('multipart/byteranges'),
    ]);
    expect((await bodyOf(several)).includes(BYTES.subarray(300_000, 500_000))).toBe(true);
    expect((await ask({ range: 'bytes=9000000-' })).status).toBe(416);
  });

  test('conditions are judged by Larder’s validators', async () => {
    const etag = (await ask({}, 'HEAD')).headers.get('etag')!;
    expect((await ask({ 'if-none-match': etag })).status).toBe(304);
    expect((await ask({ 'if-match': '"other"' })).status).toBe(412);
    const held = await ask({ 'if-match': etag });
    expect([held.status, (await bodyOf(held)).equals(BYTES)]).toEqual([200, true]);
    const rest = await ask({ 'if-range': etag, range: 'bytes=2000000-' });
    expect([rest.status, (await bodyOf(rest)).length]).toEqual([206, 1_000_000]);
  });
});

describe('from outside', () => {
  const hex = DIGEST.slice('sha256:'.length);
  const ask = (path: string, headers: Record<string, string> = {}) => fetch(nginx.oci!.url + path, { headers });

  test.each([
    `/larder-store/blobs/sha256/${hex}`,
    `/larder-store/blobs//sha256/${hex}`,
    `/%6carder-store/blobs/sha256/${hex}`,
    `/larder-store/blobs/..%2flarder-store.json`,
    `/larder-store/larder-store.json`,
    `/larder-store/blobs../tokens/`,
  ])('the store is not to be had: %s', async (path) => {
    const answer = await ask(path);
    expect(answer.status).toBe(404);
    expect((await bodyOf(answer)).length).toBeLessThan(1000);
  });

  test('a client’s own words for the web server are not heard', async () => {
    const forged = {
      'x-accel-redirect': '/larder-store/blobs/sha256/0',
      'x-sendfile-type': 'none',
      'x-accel-mapping': '/=/etc/',
    };
    const answer = await ask(PATHS.oci!, forged);
    expect((await bodyOf(answer)).equals(BYTES)).toBe(true);
    expect((await ask('/v2/team/app/blobs/sha256:0', forged)).status).toBe(400);
  });

  test('who comes past nginx is given the bytes by Larder', async () => {
    const answer = await fetch(larder.url('oci') + PATHS.oci);
    expect(answer.headers.get('x-accel-redirect')).toBeNull();
    expect((await bodyOf(answer)).equals(BYTES)).toBe(true);
  });

  test('who may not read is told so', async () => {
    const answer = await ask(PATHS.oci!, { authorization: 'Bearer lrd_wrong' });
    expect(answer.status).toBe(401);
  });
});

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ImageRegistry, startImageRegistry } from '../../support/image-registry.ts';
import { type BuiltImage, imageOf, largeLayer, sha } from '../../support/images.ts';
import { type Site, startSite } from './support.ts';

/**
 * What `ollama pull` and `ollama push` ask, request by request (its server/download.go, server/upload.go and images.go;
 * it cannot be built from what module proxies have of it).
 */
const AGENT = { 'user-agent': 'ollama/0.17.4 (amd64 linux) Go/go1.26' };
const BYTES = 9_000_000;
const PART = 1_000_000;

let registry: ImageRegistry;
let hub: ImageRegistry;
let site: Site;
let model: BuiltImage;
let weights: string;

beforeAll(async () => {
  registry = await startImageRegistry({ redirects: true });
  hub = await startImageRegistry();
  model = await imageOf({ docker: true, layers: [await largeLayer(BYTES, 'weights')] });
  weights = [...model.blobs.keys()].at(-1)!;
  registry.add('library/llama3.2', 'latest', model);
  site = await startSite({ 'registry.ollama.ai': registry, 'docker.io': hub });
});
afterAll(async () => {
  await site?.close();
  await registry?.close();
  await hub?.close();
});

const NAME = '/v2/library/llama3.2';
const ACCEPT = { accept: 'application/vnd.docker.distribution.manifest.v2+json' };

/** HEAD for the size, GET for where the bytes are (nothing is read of it), then parts side by side. */
async function pulled(url: string, digest: string): Promise<string> {
  const path = `${url}${NAME}/blobs/${digest}`;
  const head = await fetch(path, { method: 'HEAD', headers: AGENT });
  expect(head.status).toBe(200);
  const total = Number(head.headers.get('content-length'));
  const direct = await fetch(path, { headers: AGENT, redirect: 'manual' });
  expect([200, 302, 307]).toContain(direct.status);
  // older ones read it on a 200 as well, and fail without it
  const location = direct.headers.get('location');
  expect(location).not.toBeNull();
  await direct.body?.cancel();
  const target = new URL(location!, path);
  expect(target.host).toBe(new URL(url).host);
  const parts = await Promise.all(
    Array.from({ length: Math.ceil(total / PART) }, async (_, index) => {
      const range = `bytes=${index * PART}-${Math.min(total, (index + 1) * PART) - 1}`;
      // these are asked for by a plain client, under another name
      const answer = await fetch(target, { headers: { range, 'user-agent': 'Go-http-client/1.1' } });
      expect(answer.status).toBe(206);
      return Buffer.from(await answer.arrayBuffer());
    }),
  );
  return sha(Buffer.concat(parts));
}

async function expectPulled(url: string): Promise<void> {
  const manifest = await fetch(`${url}${NAME}/manifests/latest`, { headers: { ...AGENT, ...ACCEPT } });
  expect(Buffer.from(await manifest.arrayBuffer())).toEqual(model.bytes);
  for (const digest of model.blobs.keys()) expect(await pulled(url, digest)).toBe(digest);
}

describe('ollama', () => {
  test('pulls a model of its own registry, cold and warm, and its weights are fetched once', async () => {
    await expectPulled(site.url);
    await site.larder.settled();
    await expectPulled(site.url);
    // parts far ahead of the download are asked for beside it
    const fetched = registry.origin.calls(`/cdn/${weights}`).filter(({ method }) => method === 'GET');
    const whole = fetched.filter(({ headers }) => headers.range === undefined);
    expect(whole).toHaveLength(1);
    expect(hub.asked()).toEqual([]);
  });

  test('pulls it when its registry is gone', async () => {
    await registry.origin.goDark();
    site.clock.now += 3 * 86_400_000;
    await expectPulled(site.url);
    await registry.origin.comeBack();
  });

  test.each(['what is here already', 'what is new'])('pushes a model of the house: %s', async (kind) => {
    const pushed = kind === 'what is new' ? await imageOf({ docker: true, layers: [await largeLayer(BYTES)] }) : model;
    const writer = { ...AGENT, ...(await site.writer()) };
    const base = `${site.url}/v2/team/${kind.replaceAll(' ', '-')}`;
    let uploads = 0;
    for (const [digest, bytes] of pushed.blobs) {
      const head = await fetch(`${base}/blobs/${digest}`, { method: 'HEAD', headers: AGENT });
      if (head.status === 200) continue;
      expect(head.status).toBe(404);
      await upload(base, writer, digest, bytes);
      uploads += 1;
    }
    expect(uploads).toBe(kind === 'what is new' ? 2 : 0);
    const put = await fetch(`${base}/manifests/latest`, {
      method: 'PUT',
      headers: { ...writer, 'content-type': ACCEPT.accept },
      body: new Uint8Array(pushed.bytes),
    });
    expect(put.status).toBe(201);
    const back = await fetch(`${base}/manifests/latest`, { headers: { ...AGENT, ...ACCEPT } });
    expect(Buffer.from(await back.arrayBuffer())).toEqual(pushed.bytes);
    for (const digest of pushed.blobs.keys()) {
      const blob = await fetch(`${base}/blobs/${digest}`, { headers: AGENT });
      expect(sha(Buffer.from(await blob.arrayBuffer()))).toBe(digest);
    }
  });

  test('is told where to get a token by an address of the same host, which is the only one it believes', async () => {
    const answer = await fetch(`${site.url}/v2/team/model/blobs/uploads/`, { method: 'POST', headers: AGENT });
    expect(answer.status).toBe(401);
    const [, realm] = /realm="([^"]+)"/.exec(answer.headers.get('www-authenticate')!)!;
    expect(new URL(realm!).host).toBe(new URL(site.url).host);
  });
});

const locationOf = (answer: Response) => new URL(answer.headers.get('location')!, answer.url).href;

/** Pieces with their place, and in the end an etag beside the digest. */
async function upload(base: string, headers: Record<string, string>, digest: string, bytes: Buffer): Promise<void> {
  let answer = await fetch(`${base}/blobs/uploads/`, { method: 'POST', headers });
  expect(answer.status).toBe(202);
  for (let at = 0; at < bytes.length; at += 4_000_000) {
    const piece = bytes.subarray(at, at + 4_000_000);
    const place = { 'content-range': `${at}-${at + piece.length - 1}`, 'x-redirect-uploads': '1' };
    answer = await fetch(locationOf(answer), {
      method: 'PATCH',
      headers: { ...headers, ...place, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(piece),
    });
    expect(answer.status).toBe(202);
  }
  const target = new URL(locationOf(answer));
  target.searchParams.set('digest', digest);
  target.searchParams.set('etag', `${createHash('md5').update(bytes).digest('hex')}-1`);
  expect((await fetch(target, { method: 'PUT', headers })).status).toBe(201);
}

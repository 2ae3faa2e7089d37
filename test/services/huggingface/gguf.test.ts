import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Site, startSite } from './support.ts';

let site: Site;
const files = Object.fromEntries(
  ['m-Q4_K_M.gguf', 'm-Q8_0.gguf', 'm-F16-00001-of-00002.gguf', 'm-F16-00002-of-00002.gguf', 'mmproj-F16.gguf'].map(
    (name) => [name, randomBytes(3000)],
  ),
);
const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

beforeAll(async () => {
  site = await startSite();
  site.hub.add({ id: 'acme/gguf', files: { ...files, template: '{{ .Prompt }}', 'README.md': 'x' } });
  site.hub.add({ id: 'acme/plain', files: { 'a.txt': 'a' } });
});
afterAll(() => site.close());

interface Manifest {
  config: { digest: string; size: number };
  layers: { mediaType: string; digest: string; size: number }[];
}

describe('GGUF models by /v2', () => {
  test.each([
    ['latest', 'm-Q4_K_M.gguf'],
    ['q8_0', 'm-Q8_0.gguf'],
    ['F16', 'm-F16-00001-of-00002.gguf'],
    ['m-Q8_0.gguf', 'm-Q8_0.gguf'],
  ])('the tag %s is %s', async (tag, name) => {
    const { ggufFile, mmprojFile } = await site.json<Record<string, { rfilename: string; blobId: string }>>(
      `/v2/acme/gguf/manifests/${tag}`,
      { headers: { 'user-agent': 'llama-cpp' } },
    );
    expect([ggufFile!.rfilename, ggufFile!.blobId]).toEqual([name, sha256(files[name]!)]);
    expect(mmprojFile!.rfilename).toBe('mmproj-F16.gguf');
  });

  test('Ollama gets a manifest whose every blob is there, with the address that it insists on', async () => {
    const answer = await site.ask('/v2/acme/gguf/manifests/Q8_0');
    expect(answer.headers.get('docker-content-digest')).toBe(sha256(answer.bytes));
    const manifest = answer.json as Manifest;
    expect(manifest.layers.map(({ mediaType }) => mediaType.split('.').at(-1))).toEqual([
      'model',
      'projector',
      'template',
    ]);
    for (const { digest, size } of [manifest.config, ...manifest.layers]) {
      const path = `/v2/acme/gguf/blobs/${digest}`;
      const blob = await site.ask(path);
      expect([blob.status, blob.bytes.length, sha256(blob.bytes), blob.headers.get('location')]).toEqual([
        200,
        size,
        digest,
        site.url + path,
      ]);
      expect((await site.ask(path, { headers: { range: 'bytes=0-4' } })).status).toBe(206);
    }
  });

  test('what is not there is said with what is', async () => {
    expect((await site.ask('/v2/acme/gguf/manifests/Q2_K')).text).toMatch(
      /no GGUF file of acme\/gguf is called \\"Q2_K\\"; there is m-F16/,
    );
    expect((await site.ask('/v2/acme/plain/manifests/latest')).text).toMatch(/it has no GGUF files/);
    expect((await site.ask(`/v2/acme/gguf/blobs/sha256:${'0'.repeat(64)}`)).status).toBe(404);
  });
});

import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { larder } from '../../support/larder.ts';

const env = {
  LARDER_HUGGINGFACE_PUBLIC_URL: 'https://hf.site.example',
  LARDER_PYPI_PUBLIC_URL: 'https://pypi.site.example',
};

describe('larder snippets', () => {
  test('lists what there is, and names it when it is asked for something else', async () => {
    const names = (await larder(['snippets'])).stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(/\s+/)[2]);
    expect(names).toEqual(['mlis', 'kserve', 'transformers', 'vllm', 'llamacpp', 'ollama', 'javascript', 'rust']);
    for (const name of names) {
      const { stdout } = await larder(['snippets', name!], { env });
      expect(stdout).toMatch(/hf\.site\.example/);
    }
    const wrong = await larder(['snippets', 'word']);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/there is no snippet for "word"; there is mlis/),
    ]);
  });

  test('says endpointUrl in JSON, and endpointURL only to those who come from the product page', async () => {
    const { stdout } = await larder(['snippets', 'mlis'], { env });
    const body = JSON.parse(/-d '(\{.*\})'/.exec(stdout)![1]!) as Record<string, unknown>;
    expect(body).toMatchObject({ type: 'huggingface', endpointUrl: 'https://hf.site.example' });
    expect(body).not.toHaveProperty('endpointURL');
    expect(stdout).toMatch(/PIP_INDEX_URL=https:\/\/pypi\.site\.example\/simple\//);
    expect(stdout).toMatch(/SSL_CERT_FILE/);
  });

  test('gives KServe objects that are YAML and carry the address to the initializer', async () => {
    const { stdout } = await larder(['snippets', 'kserve'], {
      env: { ...env, LARDER_HUGGINGFACE_PUBLIC_URL: 'http://hf.site.example' },
    });
    const [storage] = parseAllDocuments(stdout).map((document) => document.toJS() as Record<string, unknown>);
    expect(storage).toMatchObject({
      kind: 'ClusterStorageContainer',
      spec: {
        container: {
          name: 'storage-initializer',
          env: expect.arrayContaining([{ name: 'HF_ENDPOINT', value: 'http://hf.site.example' }]),
        },
      },
    });
    expect(stdout).not.toMatch(/configmap larder-ca/);
  });
});

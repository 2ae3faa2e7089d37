import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { parse as load, parseAllDocuments } from 'yaml';
import { configSchema } from '../../../services/oci/config.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { larder } from '../../support/larder.ts';
import { runCommand } from '../../support/python-clients.ts';

const env = {
  LARDER_HUGGINGFACE_PUBLIC_URL: 'https://hf.site.example',
  LARDER_PYPI_PUBLIC_URL: 'https://pypi.site.example',
  LARDER_OCI_PUBLIC_URL: 'https://images.site.example',
  LARDER_NGC_PUBLIC_URL: 'https://ngc.site.example/mirror',
  LARDER_NPM_PUBLIC_URL: 'https://npm.site.example/packages/',
  LARDER_S3_PUBLIC_URL: 'https://s3.site.example',
};

describe('larder snippets', () => {
  test('lists what there is, and names it when it is asked for something else', async () => {
    const names = (await larder(['snippets'])).stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(/\s+/)[2]);
    const models = ['mlis', 'kserve', 'transformers', 'vllm', 'llamacpp', 'ollama', 'javascript', 'rust', 'nim', 'npm'];
    const images = ['docker', 'containerd', 'podman', 'tao'];
    expect(names).toEqual([...models, ...images]);
    for (const name of names) {
      const { stdout } = await larder(['snippets', name!], { env });
      const host = images.includes(name!) ? 'images' : name === 'nim' ? 'ngc' : name === 'npm' ? 'npm' : 'hf';
      expect(stdout).toContain(`${host}.site.example`);
    }
    const wrong = await larder(['snippets', 'word']);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/there is no snippet for "word"; there is mlis/),
    ]);
  }, 120_000);

  test('says endpointUrl in JSON, and endpointURL only to those who come from the product page', async () => {
    const { stdout } = await larder(['snippets', 'mlis'], { env });
    const body = JSON.parse(/-d '(\{.*\})'/.exec(stdout)![1]!) as Record<string, unknown>;
    expect(body).toMatchObject({ type: 'huggingface', endpointUrl: 'https://hf.site.example' });
    expect(body).not.toHaveProperty('endpointURL');
    expect(stdout).toMatch(/PIP_INDEX_URL=https:\/\/pypi\.site\.example\/simple\//);
    expect(stdout).toMatch(/SSL_CERT_FILE/);
  });

  test('gives MLIS a registry of type ngc, whose bucket is the org', async () => {
    const { stdout } = await larder(['snippets', 'mlis'], { env });
    const bodies = [...stdout.matchAll(/-d '(\{.*\})'/g)].map(([, text]) => JSON.parse(text!) as object);
    expect(bodies[1]).toMatchObject({ type: 'ngc', endpointUrl: 'https://ngc.site.example/mirror', bucket: 'nim' });
  });

  test('gives a NIM its three ways: endpoints without a scheme, and what is missing for buckets in the host', async () => {
    const text = async (more: object) => (await larder(['snippets', 'nim'], { env: { ...env, ...more } })).stdout;
    const plain = await text({});
    expect(plain).toMatch(/^NGC_API_ENDPOINT=ngc\.site\.example\/mirror$/m);
    expect(plain).toMatch(/^NGC_API_SCHEME=https$/m);
    expect(plain).toMatch(/^NIM_REPOSITORY_OVERRIDE=s3:\/\/nim\/$/m);
    expect(plain).toMatch(/^larder nim export /m);
    expect(plain).toContain('set s3.domains: [s3.site.example]');
    expect(await text({ LARDER_S3_DOMAINS: 's3.site.example' })).toContain('asks at https://nim.s3.site.example:');
    const own = await text({ LARDER_NGC_PUBLIC_URL: '', LARDER_S3_PUBLIC_URL: '', LARDER_S3_TLS_PORT: '9443' });
    expect(own).toMatch(/^NGC_API_SCHEME=http$/m);
    expect(own).toMatch(/^AWS_ENDPOINT_URL=https:\/\/.+:9443$/m);
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

  test('gives dockerd settings that are JSON, and says what is insecure only without TLS', async () => {
    const settings = async (url: string) => {
      const { stdout } = await larder(['snippets', 'docker'], { env: { LARDER_OCI_PUBLIC_URL: url } });
      return JSON.parse(/^\{.*?^\}/ms.exec(stdout)![0]) as unknown;
    };
    expect(await settings('https://images.site.example')).toEqual({
      'registry-mirrors': ['https://images.site.example'],
    });
    expect(await settings('http://images.site.example:5000')).toEqual({
      'registry-mirrors': ['http://images.site.example:5000'],
      'insecure-registries': ['images.site.example:5000'],
    });
  });

  test('gives containerd a script that writes a file for every registry that is mirrored here', async () => {
    const folder = await temporaryFolder();
    const { stdout } = await larder(['snippets', 'containerd'], { env });
    const script = stdout.replaceAll('/etc/containerd', folder.path);
    expect(await runCommand('sh', ['-euc', script])).toMatchObject({ code: 0, stderr: '' });
    const hosts = await readdir(join(folder.path, 'certs.d'));
    expect(hosts.sort()).toEqual(
      configSchema
        .parse({})
        .registries.map(({ name }) => name)
        .sort(),
    );
    const text = await readFile(join(folder.path, 'certs.d/nvcr.io/hosts.toml'), 'utf8');
    expect(parse(text)).toEqual({
      server: 'https://images.site.example',
      host: { 'https://images.site.example': { capabilities: ['pull', 'resolve'] } },
    });
    await folder.remove();
  });

  test('gives TAO values and an override that are YAML, a workspace that is JSON, and one registry in all of them', async () => {
    const { stdout } = await larder(['snippets', 'tao'], {
      env: { ...env, LARDER_S3_PUBLIC_URL: 'http://s3.site.example' },
    });
    const REGISTRY = '/shared-storage/ptm/airgapped-models';
    const values = load(/^airgapped:\n(?: .*\n)+/m.exec(stdout)![0]);
    expect(values).toMatchObject({ airgapped: { environment: { LOCAL_MODEL_REGISTRY: REGISTRY } } });
    const override = load(/^services:\n(?: .*\n)+/m.exec(stdout)![0]);
    expect(override).toMatchObject({
      services: {
        mongodb: { image: 'images.site.example/docker.io/library/mongo:latest' },
        tao_api_app: { pull_policy: 'missing' },
      },
    });
    const workspace = JSON.parse(/^\{"name".*\n.*\}\}$/m.exec(stdout)![0]) as { cloud_specific_details: object };
    expect(workspace.cloud_specific_details).toMatchObject({ endpoint_url: 'http://s3.site.example' });
    expect(stdout).toMatch(new RegExp(`^LOCAL_MODEL_REGISTRY=${REGISTRY}$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^larder tao publish --registry ${REGISTRY} --bucket tao-storage$`, 'm'));
  });

  test('gives package managers variables and files that each of them can read', { timeout: 60_000 }, async () => {
    const text = async (more: object) => (await larder(['snippets', 'npm'], { env: { ...env, ...more } })).stdout;
    const secure = await text({});
    expect(secure).toMatch(/^npm_config_registry=https:\/\/npm\.site\.example\/packages\/$/m);
    expect(secure).toMatch(/^\/\/npm\.site\.example\/packages\/:_authToken=\$\{NPM_TOKEN\}$/m);
    expect(secure).toMatch(/^NODE_EXTRA_CA_CERTS=/m);
    expect(secure).not.toMatch(/whitelist/i);
    const plain = await text({ LARDER_NPM_PUBLIC_URL: 'http://npm.site.example:4873' });
    const parts = plain.split('\n\n');
    const part = (name: string) => parts.find((one) => one.startsWith(`# ${name}`))!;
    expect(load(part('.yarnrc.yml'))).toEqual({
      npmRegistryServer: 'http://npm.site.example:4873',
      npmAuthToken: expect.stringMatching(/^\$\{NPM_TOKEN:-\}$/),
      unsafeHttpWhitelist: ['npm.site.example'],
      enableTelemetry: false,
    });
    expect(parse(part('bunfig.toml'))).toEqual({
      install: { registry: { url: 'http://npm.site.example:4873/', token: '$NPM_TOKEN' } },
    });
    expect((await larder(['snippets', 'mlis'], { env })).stdout).toContain(
      'YARN_NPM_REGISTRY_SERVER=https://npm.site.example/packages\n',
    );
  });
});

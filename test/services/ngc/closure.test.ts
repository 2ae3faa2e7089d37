import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../services/ngc/artifact.ts';
import { bundling } from '../../../services/ngc/closure.ts';
import type { NgcConfig } from '../../../services/ngc/config.ts';
import { itemSchemas } from '../../../services/ngc/items.ts';
import { addVersion } from '../../../services/ngc/local-versions.ts';
import type { BundleItem, Context, MissingEdge } from '../../../shared/service/service.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { larder } from '../../support/larder.ts';
import { checksumsOf } from '../../support/nim-models.ts';
import { type Site, startSite } from './support.ts';

const FILES = { 'config.json': '{}', 'weights/a.pth': Buffer.alloc(200_000, 'a'), 'weights/b.onnx': 'b', empty: '' };
const METRICS = [{ name: 'tao', attributes: [{ key: 'endpoints', value: "['ocrnet']" }] }];
let site: Site;
let folder: { path: string; remove(): Promise<void> };

beforeAll(async () => {
  folder = await temporaryFolder();
  site = await startSite();
  const { ngc } = site;
  ngc.add({ id: 'nvidia/tao/ocrnet', version: 'v1', files: { old: 'old' } });
  ngc.add({ id: 'nvidia/tao/ocrnet', version: 'v2+b', files: FILES, versionFields: { customMetrics: METRICS } });
  ngc.add({ kind: 'resources', id: 'nvidia/ngc-apps/cli', version: '4.9', files: { 'cli.zip': 'zip' } });
  ngc.add({ id: 'nvidia/tao/licensed', version: '1', files: FILES, refuses: 412, refusesAll: true });
  ngc.add({ id: 'nvidia/tao/pending', version: '1', files: FILES, versionFields: { status: 'UPLOAD_PENDING' } });
  ngc.add({ id: 'nim/meta/llama', version: '1', files: { ...FILES, 'checksums.blake3': 'x  config.json' } });
  await writeFile(join(folder.path, 'w.pth'), 'weights');
  const { catalog, blobs, now } = site.larder.context('ngc');
  const files = [{ path: 'w.pth', size: 7, place: join(folder.path, 'w.pth') }];
  await addVersion({ catalog, blobs, now }, { ...parseTarget('models', 'acme/lab/local:1'), files });
});
afterAll(async () => {
  await site?.close();
  await folder?.remove();
});

const context = () => site.larder.context('ngc') as Context<NgcConfig>;
const environment = {
  baseDir: '.',
  url: '',
  workDir: '.',
  signal: new AbortController().signal,
  note: () => undefined,
};
async function collect<T>(found: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of found) all.push(one);
  return all;
}
const item = (wish: Record<string, unknown>) => {
  const type = Object.keys(wish)[0] as keyof typeof itemSchemas;
  return { type, value: itemSchemas[type].parse(wish), defaults: {} };
};
const closure = (wish: Record<string, unknown>): Promise<BundleItem[]> =>
  collect(bundling().closure(context(), item(wish), environment));
const prove = (wish: Record<string, unknown>): Promise<MissingEdge[]> =>
  collect(bundling().prove!(context(), item(wish), environment));
const keysOf = ({ refs }: BundleItem) => refs.map(({ key }) => key);

describe('an item', () => {
  test('is a version with its documents and all its files', async () => {
    const [one] = await closure({ ngc: 'ngc://nvidia/tao/ocrnet:v2+b' });
    expect(one).toMatchObject({
      id: 'ngc:nvidia/tao/ocrnet:v2+b',
      type: 'ngc-version',
      details: { model: 'nvidia/tao/ocrnet', version: 'v2+b', files: 4, bytes: 200_003 },
    });
    expect(keysOf(one!)).toEqual([
      'artifact/models/nvidia/tao/ocrnet',
      'versions/models/nvidia/tao/ocrnet',
      'version/models/nvidia/tao/ocrnet:v2+b',
      'files/models/nvidia/tao/ocrnet:v2+b',
      ...Object.keys(FILES).map((path) => `file/models/nvidia/tao/ocrnet:v2+b?${path}`),
    ]);
    const [resource] = await closure({ 'ngc-resource': 'nvidia/ngc-apps/cli:4.9' });
    expect(resource).toMatchObject({ id: 'ngc-resource:nvidia/ngc-apps/cli:4.9', details: { files: 1 } });
  });

  test('takes the files that are included and not excluded, and says which it leaves', async () => {
    const [one] = await closure({ ngc: 'nvidia/tao/ocrnet:v2+b', include: ['weights/', '*.json'], exclude: '*.onnx' });
    expect(keysOf(one!).slice(4)).toEqual([
      'file/models/nvidia/tao/ocrnet:v2+b?config.json',
      'file/models/nvidia/tao/ocrnet:v2+b?weights/a.pth',
    ]);
    expect(one!.details).toMatchObject({ files: 2, leftOut: expect.arrayContaining(['weights/b.onnx', 'empty']) });
    await expect(closure({ ngc: 'nvidia/tao/ocrnet:v2+b', include: '*.nemo' })).rejects.toThrow(/none of its 4 files/);
  });

  test('takes the checksums of a NIM along that its list does not name, and asks nobody about what was added here', async () => {
    const [unlisted] = await closure({ ngc: 'nvidia/tao/ocrnet:v2+b' });
    expect(unlisted!.optional!.map(({ key }) => key)).toEqual(['file/models/nvidia/tao/ocrnet:v2+b?checksums.blake3']);
    const [listed] = await closure({ ngc: 'nim/meta/llama:1' });
    expect(listed!.optional).toEqual([]);
    const [local] = await closure({ ngc: 'acme/lab/local:1' });
    expect([...local!.refs, ...local!.optional!].map(({ source }) => source)).toEqual(Array(5).fill(''));
    expect(site.ngc.count('acme')).toBe(0);
  });

  test.each(['ocrnet', 'ocrnet:1', 'a/b/c/d:1', 'nvidia/../ocrnet:1', 'nvidia/tao/ocrnet:', 'a b/c:1'])(
    '"%s" is none, and the manifest is told so',
    (text) => {
      for (const type of ['ngc', 'ngc-resource'] as const) {
        const { error } = itemSchemas[type].safeParse({ [type]: text });
        expect(error?.message).toContain('org/team/name:version');
      }
    },
  );

  test('that names no version is the latest', async () => {
    for (const text of ['nvidia/tao/ocrnet', 'ngc://nvidia/tao/ocrnet']) {
      const [one] = await closure({ ngc: text });
      expect(one!.id).toMatch(/^ngc:nvidia\/tao\/ocrnet:./);
      const { model } = await site.json<{ model: { latestVersionIdStr: string } }>('/v2/models/nvidia/tao/ocrnet');
      expect(one!.details.version).toBe(model.latestVersionIdStr);
    }
  });

  test('goes by its checksums where NGC shows nobody the list of its files', async () => {
    const files = { 'config.json': '{}', 'w.bin': 'w' };
    const sums = await checksumsOf(files);
    site.ngc.add({ id: 'nim/meta/gated', version: '1', files: { ...files, 'checksums.blake3': sums } });
    site.ngc.fail({ path: '/gated/versions/1/files?', status: 403, times: 1000 });
    const [one] = await closure({ ngc: 'nim/meta/gated:1' });
    expect(keysOf(one!).slice(2)).toEqual([
      'version/models/nim/meta/gated:1',
      'file/models/nim/meta/gated:1?checksums.blake3',
      'file/models/nim/meta/gated:1?config.json',
      'file/models/nim/meta/gated:1?w.bin',
    ]);
    expect(one!.refs.at(-1)!.promised!.others).toEqual({ blake3: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  test('that cannot be had says why', async () => {
    await expect(closure({ ngc: 'nvidia/tao/licensed:1' })).rejects.toThrow(/licence terms/);
    await expect(closure({ ngc: 'nvidia/tao/pending:1' })).rejects.toThrow(/not complete at NGC \(UPLOAD_PENDING\)/);
    await expect(closure({ ngc: 'nvidia/tao/nobody:1' })).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('is proven when every file of it is held', async () => {
    const include = ['config.json', 'weights/b.onnx'];
    const missing = await prove({ ngc: 'nvidia/tao/ocrnet:v2+b', include });
    expect(missing.map(({ target, message }) => [target, message])).toEqual(
      include.map((path) => [
        'ngc:nvidia/tao/ocrnet:v2+b',
        `${path} of model nvidia/tao/ocrnet:v2+b is not in the bundle`,
      ]),
    );
    for (const path of include) await site.ask(`/v2/models/nvidia/tao/ocrnet/versions/v2+b/files/${path}`);
    await site.larder.settled();
    expect(await prove({ ngc: 'nvidia/tao/ocrnet:v2+b', include })).toEqual([]);
  });
});

describe('a bundle', () => {
  test('carries versions to a site where nobody can be asked, and they are found there', async () => {
    const manifest = join(folder.path, 'bundle.yaml');
    const bundle = join(folder.path, 'bundle');
    const items = [
      '{ ngc: "nvidia/tao/ocrnet:v2+b", exclude: ["*.onnx"] }',
      '{ ngc-resource: "nvidia/ngc-apps/cli:4.9" }',
    ];
    const lines = items.map((one) => `  - ${one}\n`).join('');
    await writeFile(manifest, `format: larder-manifest/1\nname: ngc\nitems:\n${lines}`);
    const env = {
      LARDER_NGC_ORIGIN: site.ngc.url,
      LARDER_NGC_FILE_HOSTS: new URL(site.ngc.cdnUrl).host,
    };
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await larder(args, { env });
      expect([code, stdout, stderr]).toEqual([0, expect.anything(), expect.anything()]);
    };
    await run('bundle', 'create', manifest, bundle, '--store', join(folder.path, 'packer'));
    expect(await readFile(join(bundle, 'index', 'items.jsonl'), 'utf8')).toContain('"ngc:nvidia/tao/ocrnet:v2+b"');
    await run('bundle', 'import', bundle, '--store', join(folder.path, 'site'));
    const behind = await startSite({}, { ngc: site.ngc, mode: 'airgapped', store: join(folder.path, 'site') });
    const before = site.ngc.count('');
    try {
      const place = '/v2/org/nvidia/team/tao/models/ocrnet';
      const { model } = await behind.json<{ model: object }>(place);
      expect(model).toMatchObject({ name: 'ocrnet', latestVersionIdStr: 'v2+b' });
      const { modelVersions } = await behind.json<{ modelVersions: object[] }>(`${place}/versions/`);
      expect(modelVersions).toMatchObject([{ versionId: 'v2+b', customMetrics: METRICS }]);
      const { modelFiles } = await behind.json<{ modelFiles: object[] }>(`${place}/versions/v2+b/files`);
      expect(modelFiles).toHaveLength(4);
      const weights = await behind.ask(`${place}/versions/v2+b/files/weights/a.pth`);
      expect(weights.bytes.equals(FILES['weights/a.pth'])).toBe(true);
      expect((await behind.ask(`${place}/versions/v2+b/files/empty`)).status).toBe(200);
      expect((await behind.ask(`${place}/versions/v2+b/files/weights/b.onnx`)).status).toBe(404);
      expect((await behind.ask('/v2/resources/nvidia/ngc-apps/cli/versions/4.9/zip')).status).toBe(200);
      const found = await behind.json<{ results: { resources: object[] }[] }>('/v2/search/resources/MODEL');
      expect(found.results[0]!.resources).toMatchObject([{ resourceId: 'nvidia/tao/ocrnet', displayName: 'ocrnet' }]);
      expect(site.ngc.count('')).toBe(before);
    } finally {
      await behind.close();
    }
  });
});

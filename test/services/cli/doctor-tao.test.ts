import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { importTao } from '../../../services/ngc/tao/import.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { dockerSaveOf, writeTar } from '../../support/image-archives.ts';
import { layerOf } from '../../support/images.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../../support/larder.ts';
import { entry, modelFiles, OCRNET, writeFiles } from '../ngc/tao/download.ts';

const REGISTRY = '/shared-storage/ptm/airgapped-models';
const BASE = 'object/tao-storage/shared-storage/ptm/airgapped-models/';
const KEY = { accessKeyId: 'seaweedfs', secretAccessKey: 'seaweedfs123' };
let folder: { path: string; remove(): Promise<void> };
let site: SpawnedLarder;
let store: Store;
const at = (name: string) => join(folder.path, name);
const names = () => store.catalog('s3');

beforeAll(async () => {
  folder = await temporaryFolder();
  const keys = [KEY, { accessKeyId: 'reader', secretAccessKey: 'reader-secret', actions: ['read'] }];
  const env = { AIRGAPPED_MODE: 'true', LARDER_S3_KEYS: JSON.stringify(keys), LARDER_S3_DOMAINS: '["localhost"]' };
  site = await spawnLarder({ store: at('store'), env });
  store = await openStore(at('store'), { now: Date.now });
  await writeFile(at('keys'), `${KEY.accessKeyId}\n${KEY.secretAccessKey}\n`);
  await writeFile(at('reader'), 'reader\nreader-secret\n');
  await writeFiles(at('models'), modelFiles());
});
afterAll(async () => {
  await store?.close();
  await site?.stop();
  await folder?.remove();
});

beforeEach(async () => {
  for (const key of await names().keys('object/')) await names().delete(key);
  await importTao({ catalog: store.catalog('ngc'), blobs: store.blobs, now: Date.now }, at('models'));
});

async function publish(): Promise<void> {
  const ran = await larder(['tao', 'publish', '--registry', REGISTRY, '--store', at('store')]);
  expect(`${ran.code} ${ran.stderr}`).toMatch(/^0 /);
}

async function doctor(...args: string[]) {
  const all = ['--json', 'doctor', 'tao', '--s3', site.urls.s3!, '--keys', at('keys'), '--no-images', ...args];
  const ran = await larder(args.includes('--registry') ? all : [...all, '--registry', REGISTRY]);
  const lines = ran.stdout.split('\n').filter((line) => line !== '');
  const findings = lines.map((line) => JSON.parse(line) as { check: string; state: string; message: string });
  const by = (state: string) =>
    Object.fromEntries(findings.filter((one) => one.state === state).map((one) => [one.check, one.message]));
  return {
    code: ran.code,
    stderr: ran.stderr,
    good: Object.keys(by('good')),
    wrong: by('wrong'),
    unknown: by('unknown'),
  };
}

describe('larder doctor tao', () => {
  test('finds nothing wrong with what was published, and warns of a name that containers do not know', async () => {
    await publish();
    const { code, good, wrong, unknown } = await doctor();
    expect({ code, wrong }).toEqual({ code: 0, wrong: {} });
    expect(good).toEqual(['connect', 'bucket', 'write', 'metadata', 'entries', 'files']);
    expect(unknown).toEqual({
      endpoint: expect.stringMatching(/inside TAO's containers 127\.0\.0\.1 is the container itself/),
      weights: expect.stringMatching(/^acme\/tiny: none of its files ends as weights/),
    });
  });

  test('names the LOCAL_MODEL_REGISTRY that would be right', async () => {
    await publish();
    const { code, wrong } = await doctor('--registry', '/shared-storage/models');
    expect([code, wrong.metadata]).toEqual([
      3,
      expect.stringMatching(
        /shared-storage\/models\/ptm_metadatas\.json is not there, but below \/shared-storage\/ptm\/airgapped-models: set LOCAL_MODEL_REGISTRY=\/shared-storage\/ptm\/airgapped-models/,
      ),
    ]);
  });

  test('reads TAO’s own settings, and says where they differ from what was meant', async () => {
    await publish();
    await writeFile(at('config.env'), '# TAO\nLOCAL_MODEL_REGISTRY=/shared-storage/models  # default\n');
    const differs = await doctor('--settings', at('config.env'));
    expect(differs.wrong.setting).toMatch(
      /says LOCAL_MODEL_REGISTRY=\/shared-storage\/models, and models are looked for at/,
    );
    await writeFile(at('values.yaml'), `airgapped:\n  environment:\n    LOCAL_MODEL_REGISTRY: "${REGISTRY}"\n`);
    const same = await doctor('--settings', at('values.yaml'));
    expect([same.code, same.good[0]]).toEqual([0, 'setting']);
  });

  test('misses the list where it is nowhere, a bucket that is not there, and whoever does not answer', async () => {
    await publish();
    await names().delete(`${BASE}ptm_metadatas.json`);
    expect((await doctor()).wrong.metadata).toMatch(/not there, nor anywhere else in the bucket: publish it/);
    expect((await doctor('--bucket', 'other')).wrong.bucket).toMatch(/there is no bucket "other"/);
    const nobody = createServer().listen(0, '127.0.0.1');
    await once(nobody, 'listening');
    const { port } = nobody.address() as AddressInfo;
    nobody.close();
    expect((await doctor('--s3', `http://127.0.0.1:${port}`)).wrong.connect).toMatch(
      /does not answer \(ECONNREFUSED\)/,
    );
  });

  test('tells a key that is wrong, one that may only read, and a host that swallows the bucket', async () => {
    await publish();
    await writeFile(at('wrong'), 'seaweedfs\nother\n');
    expect((await doctor('--keys', at('wrong'))).wrong.keys).toMatch(
      /refused \(403 SignatureDoesNotMatch\): access_key and secret_key/,
    );
    expect((await doctor('--keys', at('reader'))).wrong).toEqual({
      write: expect.stringMatching(/may not write .*\(403 AccessDenied\)/),
    });
    const port = new URL(site.urls.s3!).port;
    const inHost = await doctor('--s3', `http://seaweedfs-s3.localhost:${port}`);
    if (!/ENOTFOUND|EAI_AGAIN/.test(inHost.wrong.connect ?? ''))
      expect(inHost.wrong['path style']).toMatch(/takes "seaweedfs-s3" of its host for the bucket/);
  });

  test('names entries without files, without specs, and those that TAO would pass over', async () => {
    const { actions: _, ...short } = entry(OCRNET);
    await writeFiles(at('short'), { ...modelFiles(), 'ptm_metadatas.json': JSON.stringify({ [OCRNET]: short }) });
    await importTao({ catalog: store.catalog('ngc'), blobs: store.blobs, now: Date.now }, at('short'));
    await publish();
    await names().delete(`${BASE}nvidia/tao/ocrnet/trainable_v1.0/ocrnet_vtrainable_v1.0/experiment.yaml`);
    await names().delete(`${BASE}nvidia/segformer/1.0+a/segformer_v1.0+a/deep/model.tlt`);
    const { wrong } = await doctor();
    expect(wrong.entries).toMatch(new RegExp(`passes over 1 of 3 entries for what they lack: ${OCRNET} \\(actions\\)`));
    expect(wrong.files).toMatch(/^model nvidia\/segformer:1\.0\+a: no file is where TAO's jobs look/);
    expect(wrong.specs).toMatch(/^model nvidia\/tao\/ocrnet:trainable_v1\.0: it is said to have an experiment\.yaml/);
  });

  test('tells images that are not held, and how to carry them', async () => {
    await publish();
    const args = [
      'doctor',
      'tao',
      '--s3',
      site.urls.s3!,
      '--oci',
      site.urls.oci!,
      '--keys',
      at('keys'),
      '--registry',
      REGISTRY,
    ];
    const ran = await larder(args);
    expect([ran.code, ran.stdout]).toEqual([
      3,
      expect.stringMatching(
        /^WRONG {2}images .*nvcr\.io\/nvidia\/tao\/tao-toolkit:6\.25\.11-pyt, .*docker\.io\/library\/mongo:latest.*bundle create --preset tao-ftms-6\.25/m,
      ),
    ]);
    expect(ran.stdout).toMatch(/^ok {5}metadata {4}s3:\/\/tao-storage\//m);
    expect(ran.stdout).toMatch(/1 of these is wrong\n$/);
    const { items } = parse(await readFile('config/presets/tao-ftms-6.25.yaml', 'utf8')) as {
      items: { oci: string }[];
    };
    const image = { tags: items.map(({ oci }) => oci), layers: [await layerOf({ 'etc/motd': 'tao' })] };
    await writeTar(at('saved.tar'), dockerSaveOf([image]));
    await larder(['oci', 'import', at('saved.tar'), '--store', at('store')]);
    const again = await larder(args);
    expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(/^ok {5}images {6}all 8 images/m)]);
  });

  test.each([
    [[], /say where TAO looks for its models: --registry/],
    [['--registry', '../x'], /is no path for LOCAL_MODEL_REGISTRY/],
    [['--settings', '/nowhere'], /--settings: \/nowhere cannot be read \(ENOENT\)/],
    [['--registry', '/a'], /say the access key of TAO's workspace: --keys/],
    [['--registry', '/a', '--keys', '/nowhere'], /--keys: \/nowhere cannot be read/],
  ])('is told what it needs, and does nothing without: %j', async (args, message) => {
    const ran = await larder(['doctor', 'tao', ...args]);
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

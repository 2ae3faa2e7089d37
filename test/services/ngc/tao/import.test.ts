import { appendFile, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pack as tarPack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../../services/ngc/artifact.ts';
import { fileKey, filesKey, versionKey } from '../../../../services/ngc/keys.ts';
import { importTao } from '../../../../services/ngc/tao/import.ts';
import { METADATA } from '../../../../services/ngc/tao/keys.ts';
import { openStore, type Store } from '../../../../shared/storage/store.ts';
import { keep, NOW, temporaryFolder } from '../../../support/bundles.ts';
import { larder } from '../../../support/larder.ts';
import { mustRun } from '../../../support/python-clients.ts';
import {
  entry,
  HUB,
  md5,
  modelFiles,
  OCRNET,
  pack,
  SEGFORMER,
  sha256,
  WEIGHTS,
  writeAssets,
  writeFiles,
} from './download.ts';

let folder: { path: string; remove(): Promise<void> };
let store: Store;
const at = (...names: string[]) => join(folder.path, ...names);
const place = () => ({ catalog: store.catalog('ngc'), blobs: store.blobs, now: () => NOW });
const keys = () => store.catalog('ngc').keys();
const bring = (path: string, options = {}) => importTao(place(), path, options);
const target = parseTarget('models', 'nvidia/tao/ocrnet:trainable_v1.0');

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openStore(at('store'), { now: Date.now });
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

async function held(key: string): Promise<string> {
  const found = await store.catalog('ngc').get(key);
  return (await store.blobs.read(found!.digest, 1e7)).toString();
}

async function refused(path: string, message: RegExp, options = {}): Promise<void> {
  await expect(bring(path, options)).rejects.toThrow(message);
  expect(await keys()).toEqual([]);
}

describe('a download of TAO is imported', () => {
  const files = ['tao/datasets/empty.txt', 'tao/datasets/train/images/1.jpg', 'tao/datasets/val/labels.csv'];
  const hub = 'tao/hub/acme_tiny/config.json';

  test.each([
    ['the folder of models', async () => writeFiles(at('m'), modelFiles()).then(() => at('m')), undefined, []],
    ['the folder of assets', async () => writeAssets(at('a')), undefined, files],
    ['the packed assets', async () => writeAssets(at('a')).then(() => pack(at('a'))), true, files],
    [
      'assets in a plain tar, with ./ in front and no .sha256',
      async () => {
        await writeAssets(at('a'));
        await mustRun('tar', ['-cf', at('assets.tar'), '-C', at('a'), './airgapped-assets']);
        return at('assets.tar');
      },
      false,
      files,
    ],
  ] as const)('from %s', async (_what, make, checked, datasets) => {
    const imported = await bring(await make());
    expect(imported).toMatchObject({ entries: 3, hub: ['acme_tiny'], datasets: datasets.length, leftOut: [], checked });
    expect((await keys()).filter((key) => key.startsWith('tao/'))).toEqual([...datasets, hub, METADATA].sort());
    const file = await store.catalog('ngc').get(fileKey(target, 'model.pth'));
    expect(file).toMatchObject({
      digest: `sha256:${sha256(WEIGHTS)}`,
      etag: `"${md5(WEIGHTS)}"`,
      size: WEIGHTS.length,
    });
    expect(JSON.parse(await held(filesKey(target))).modelFiles).toMatchObject([
      { path: 'experiment.yaml' },
      { path: 'model.pth', sizeInBytes: WEIGHTS.length },
    ]);
    const segformer = parseTarget('models', 'nvidia/segformer:1.0+a');
    expect(await held(fileKey(segformer, 'deep/model.tlt'))).toBe('tlt');
    expect(JSON.parse(await held(METADATA))).toEqual(JSON.parse(modelFiles()['ptm_metadatas.json'] as string));
  });

  test('with what NGC says of a version, as far as the metadata tells it, and nothing that TAO makes up', async () => {
    await writeFiles(at('m'), modelFiles());
    await bring(at('m'));
    const { model, modelVersion } = JSON.parse(await held(versionKey(target)));
    expect(model).toMatchObject({
      ...{ displayName: 'OCRNet', shortDescription: 'Model to read characters', isReadOnly: true },
      updatedDate: '2023-07-01T00:00:00.000Z',
    });
    expect(modelVersion).toMatchObject({ description: 'reads characters', createdDate: '2023-06-01T00:00:00.000Z' });
    expect(modelVersion.customMetrics[0].attributes).toEqual([
      { key: 'endpoints', value: "['ocrnet']" },
      { key: 'trainable', value: 'True' },
      { key: 'task', value: "'optical character recognition'" },
      { key: 'backbone_type', value: "'cnn'" },
    ]);
  });

  test('of entries that say no more than what they are', async () => {
    const list = { [OCRNET]: { id: OCRNET, network_arch: 'ocrnet', ngc_path: 'nvidia/tao/ocrnet:trainable_v1.0' } };
    await writeFiles(at('m'), { ...modelFiles(), 'ptm_metadatas.json': JSON.stringify(list) });
    expect(await bring(at('m'))).toMatchObject({ entries: 1, versions: [{ files: 2 }] });
  });

  test('with all networks of one version as its endpoints', async () => {
    const other = entry(SEGFORMER, { network_arch: 'character_recognition' });
    const list = JSON.stringify({ [OCRNET]: entry(OCRNET), [SEGFORMER]: other });
    const { 'ptm_metadatas.json': _, ...files } = modelFiles();
    await writeFiles(at('m'), { ...files, 'ptm_metadatas.json': list });
    const { leftOut } = await bring(at('m'));
    const { modelVersion } = JSON.parse(await held(versionKey(target)));
    expect(modelVersion.customMetrics[0].attributes[0].value).toBe("['ocrnet', 'character_recognition']");
    // files that no entry tells of are named, and stay out
    expect(leftOut).toContain('nvidia/segformer/1.0+a/segformer_v1.0+a/deep/model.tlt');
  });

  test('without customMetrics where NGC has none: TAO takes no others that are not trainable', async () => {
    const filler = { description: 'Base Experiment for ocrnet', model_description: 'Base Experiment for ocrnet' };
    const untold = { ...filler, created_on: '2026-01-01T10:00:00.123456' };
    const list = { [OCRNET]: entry(OCRNET, untold, { is_trainable: false }) };
    await writeFiles(at('m'), { ...modelFiles(), 'ptm_metadatas.json': JSON.stringify(list) });
    await bring(at('m'));
    const { model, modelVersion } = JSON.parse(await held(versionKey(target)));
    expect([modelVersion.customMetrics, modelVersion.description]).toEqual([undefined, undefined]);
    expect([modelVersion.createdDate, model.shortDescription]).toEqual([new Date(NOW).toISOString(), '']);
  });

  test('twice, its list merged over the one before, every entry as it stood there', async () => {
    const raw = `{"${OCRNET}": ${JSON.stringify(entry(OCRNET)).replace('"specs":{}', '"specs":{"lr": 1.0, "most": Infinity}')}}`;
    await writeFiles(at('one'), { ...modelFiles(), 'ptm_metadatas.json': raw });
    await bring(at('one'));
    expect(await held(METADATA)).toContain('{"lr": 1.0, "most": Infinity}');
    const list = JSON.stringify({ [HUB]: JSON.parse(modelFiles()['ptm_metadatas.json'] as string)[HUB] });
    await writeFiles(at('two'), { ...modelFiles(), 'ptm_metadatas.json': list });
    await bring(at('two'));
    expect(await held(METADATA)).toContain('{"lr": 1.0, "most": Infinity}');
    expect(Object.keys(JSON.parse((await held(METADATA)).replace('Infinity', '1')))).toEqual([OCRNET, HUB]);
    await bring(at('two'));
    expect(Object.keys(JSON.parse((await held(METADATA)).replace('Infinity', '1')))).toEqual([OCRNET, HUB]);
  });

  test('over what is held from NGC, whose documents stay', async () => {
    const documents = Buffer.from(
      JSON.stringify({
        modelFiles: [
          { path: 'model.pth', sizeInBytes: WEIGHTS.length },
          { path: 'experiment.yaml', sizeInBytes: 19 },
        ],
      }),
    );
    await keep(store, 'ngc', filesKey(target), documents);
    await writeFiles(at('m'), modelFiles());
    await bring(at('m'));
    expect(await held(filesKey(target))).toBe(documents.toString());
    expect((await store.catalog('ngc').get(fileKey(target, 'model.pth')))!.size).toBe(WEIGHTS.length);
  });
});

describe('a download is refused, and nothing of it is imported', () => {
  const change = async (make: (list: Record<string, Record<string, unknown>>) => void) => {
    const list = JSON.parse(modelFiles()['ptm_metadatas.json'] as string);
    make(list);
    await writeAssets(at('a'), { ...modelFiles(), 'ptm_metadatas.json': JSON.stringify(list) });
  };

  test.each<[string, (list: Record<string, Record<string, unknown>>) => void, RegExp]>([
    ['an id is not its key', (list) => (list[OCRNET]!.id = SEGFORMER), /entry "593ab7be.*": its "id" is "1111/],
    ['an entry has no id', (list) => delete list[OCRNET]!.id, /entry "593ab7be.*": id: /],
    ['a path has no version', (list) => (list[OCRNET]!.ngc_path = 'nvidia/tao/ocrnet'), /"593ab7be.*is not org\/team/],
    ['a path leads out', (list) => (list[OCRNET]!.ngc_path = '../../etc:1'), /"593ab7be.*is not org\/team/],
    ['a model of the hub leads out', (list) => (list[HUB]!.ngc_path = '../..'), /"22222222.*is no model of the hub/],
    [
      'files are missing',
      (list) => (list[OCRNET]!.ngc_path = 'nvidia/tao/dino:1'),
      /"593ab7be.*dino_v1\/ is missing or empty/,
    ],
    [
      'a file has another sha256',
      (list) => (list[SEGFORMER]!.sha256_digest = { 'model.tlt': sha256('other') }),
      /"11111111.*"deep\/model\.tlt" is damaged/,
    ],
    [
      'a file with a sha256 is missing',
      (list) => (list[SEGFORMER]!.sha256_digest = { 'other.tlt': sha256('other') }),
      /"11111111.*"other\.tlt", and there is no such file/,
    ],
    [
      'a spec is missing',
      (list) => (list[SEGFORMER]!.base_experiment_metadata = { spec_file_present: true }),
      /"11111111.*there is no .*experiment\.yaml/,
    ],
  ])('when %s, from a folder and from an archive', async (_what, make, message) => {
    await change(make);
    await refused(at('a/airgapped-assets'), message);
    await refused(await pack(at('a')), message);
  });

  test('but for those entries, where that is asked for', async () => {
    await change((list) => (list[OCRNET]!.ngc_path = 'nvidia/tao/dino:1'));
    const { incomplete, entries } = await bring(at('a/airgapped-assets'), { skipIncomplete: true });
    expect([incomplete.map(({ id }) => id), entries]).toEqual([[OCRNET], 2]);
    expect(Object.keys(JSON.parse(await held(METADATA)))).toEqual([SEGFORMER, HUB]);
  });

  test.each([
    ['[1]', /is to be an object/],
    ['{"a":', /is no JSON/],
    ['', /is no JSON/],
  ])('when its list is %j', async (text, message) => {
    await writeFiles(at('m'), { 'ptm_metadatas.json': text });
    await refused(at('m'), message);
  });

  test('when it has no list, or cannot be read', async () => {
    await writeFiles(at('m'), { 'a.txt': 'a' });
    await refused(at('m'), /there is no ptm_metadatas\.json in it/);
    await refused(at('nowhere'), /cannot be read \(ENOENT\)/);
    await writeFiles(at('n'), { 'a/ptm_metadatas.json': '{}', 'b/ptm_metadatas.json': '{}' });
    await refused(at('n'), /it has several: a\/ptm/);
  });

  test('when an archive is not the one of its .sha256', async () => {
    await writeAssets(at('a'));
    const archive = await pack(at('a'));
    await writeFile(`${archive}.sha256`, `${'0'.repeat(64)}  airgapped-assets.tar.gz\n`);
    await refused(archive, /its \.sha256 says 0000/);
    await writeFile(`${archive}.sha256`, 'nothing\n');
    await refused(archive, /airgapped-assets\.tar\.gz\.sha256: it is to begin with 64 hex digits/);
  });

  test('when an archive is cut off, damaged, or none', async () => {
    await writeAssets(at('a'));
    const archive = await pack(at('a'));
    await rm(`${archive}.sha256`);
    const bytes = await readFile(archive);
    await truncate(archive, bytes.length - 2000);
    await refused(archive, /it is no tar, is damaged, or is cut off/);
    await mustRun('tar', ['-cf', at('cut.tar'), '-C', at('a'), 'airgapped-assets']);
    await truncate(at('cut.tar'), 3000);
    await refused(at('cut.tar'), /it is no tar, is damaged, or is cut off/);
    await writeFile(at('none.tar'), 'no tar at all'.repeat(100));
    await refused(at('none.tar'), /it is no tar, is damaged, or is cut off/);
  });

  test.each([
    ['../out', /the name "\.\.\/out" leads out of it/],
    ['/etc/out', /leads out of it/],
    ['a/../../out', /leads out of it/],
    ['a\\b', /leads out of it, or is none/],
  ])('when an archive has the name %j', async (name, message) => {
    const pack = tarPack();
    pack.entry({ name }, 'x');
    pack.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of pack) chunks.push(chunk as Buffer);
    await writeFile(at('bad.tar'), Buffer.concat(chunks));
    await refused(at('bad.tar'), message);
  });

  test('when a link leads out, and not when it leads to a file beside it', async () => {
    const models = await writeAssets(at('a')).then((path) => join(path, 'models'));
    const folder = 'nvidia/tao/ocrnet/trainable_v1.0/ocrnet_vtrainable_v1.0';
    await symlink('model.pth', join(models, folder, 'again.pth'));
    await mustRun('ln', [join(models, folder, 'model.pth'), join(models, folder, 'hard.pth')]);
    await bring(await pack(at('a')));
    for (const name of ['again.pth', 'hard.pth'])
      expect((await store.catalog('ngc').get(fileKey(target, name)))!.digest).toBe(`sha256:${sha256(WEIGHTS)}`);
    await symlink('/etc/passwd', join(models, folder, 'out.pth'));
    await expect(bring(await pack(at('a')))).rejects.toThrow(/out\.pth" in it is a link that leads to no file of it/);
    await expect(bring(at('a/airgapped-assets'))).rejects.toThrow(/out\.pth" is a link that leads out/);
  });

  test('when its folder changes meanwhile', async () => {
    await writeFiles(at('m'), modelFiles());
    const change = () => appendFile(at('m/huggingface/acme_tiny/config.json'), 'more');
    await refused(at('m'), /config\.json changed while it was being read/, { read: change });
  });

  test('when NGC’s own list of a version says otherwise, and no other version is imported either', async () => {
    const files = Buffer.from('{"modelFiles":[{"path":"deep/model.tlt","sizeInBytes":4}]}');
    const segformer = parseTarget('models', 'nvidia/segformer:1.0+a');
    await keep(store, 'ngc', filesKey(segformer), files);
    await writeFiles(at('m'), modelFiles());
    await expect(bring(at('m'))).rejects.toThrow(/NGC has 4 bytes of it, here are 3/);
    expect(await keys()).toEqual([filesKey(segformer)]);
  });
});

test('the command says what it brought, and what it left', async () => {
  await writeAssets(at('a'));
  await writeFiles(at('a/airgapped-assets/models'), { 'nvidia/tao/untold/1/x': 'x' });
  const ran = await larder(['tao', 'import', await pack(at('a')), '--store', at('cli')]);
  expect([ran.code, ran.stdout]).toEqual([
    0,
    expect.stringMatching(/^model nvidia\/tao\/ocrnet:trainable_v1\.0 {2}2 files$/m),
  ]);
  expect(ran.stdout).toMatch(/left out, as no entry tells of it: airgapped-assets\/models\/nvidia\/tao\/untold\/1\/x/);
  expect(ran.stdout).toMatch(/3 entries, 2 versions, 1 model of the hub, 3 files of datasets, /);
  await rm(at('a/airgapped-assets.tar.gz.sha256'));
  const unchecked = await larder(['--json', 'tao', 'import', at('a/airgapped-assets.tar.gz'), '--store', at('cli')]);
  expect(JSON.parse(unchecked.stdout)).toMatchObject({ event: 'imported', checked: false, entries: 3 });
  const refused = await larder(['tao', 'import', at('nowhere'), '--store', at('cli')]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/nowhere cannot be read/)]);
});

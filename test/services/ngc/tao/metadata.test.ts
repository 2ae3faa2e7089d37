import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../../services/ngc/artifact.ts';
import { readFolder } from '../../../../services/ngc/folder.ts';
import { fileKey } from '../../../../services/ngc/keys.ts';
import { addVersion, type LocalVersion } from '../../../../services/ngc/local-versions.ts';
import { keepMetadata, uuid5, writeMetadata } from '../../../../services/ngc/tao/metadata.ts';
import { NetworkConfigs } from '../../../../services/ngc/tao/network-configs.ts';
import { publicationOf } from '../../../../services/ngc/tao/publication.ts';
import { readLiteral, writeLiteral } from '../../../../services/ngc/tao/python.ts';
import { openStore, type Store } from '../../../../shared/storage/store.ts';
import { NOW, temporaryFolder } from '../../../support/bundles.ts';
import { larder } from '../../../support/larder.ts';
import { OCRNET, writeFiles } from './download.ts';

let folder: { path: string; remove(): Promise<void> };
let store: Store;
const place = () => ({ catalog: store.catalog('ngc'), blobs: store.blobs, now: () => NOW });

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openStore(`${folder.path}/store`, { now: Date.now });
  await writeFiles(`${folder.path}/files`, { 'model.pth': 'weights', 'experiment.yaml': 'a: 1\n' });
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const metrics = (pairs: Record<string, string>) => [
  { name: 'm', attributes: Object.entries(pairs).map(([key, value]) => ({ key, value })) },
];
async function add(id: string, pairs: Record<string, string>, more: Partial<LocalVersion> = {}): Promise<void> {
  const files = await readFolder(`${folder.path}/files`);
  const facts = { customMetrics: metrics(pairs), createdDate: '2023-06-01T00:00:00.000Z', ...more.facts };
  await addVersion(place(), { ...parseTarget('models', id), files, ...more, facts });
}
async function written(configs?: NetworkConfigs) {
  const { bytes, leftOut } = await writeMetadata(place(), configs);
  return { entries: JSON.parse(bytes.toString()), leftOut };
}

describe('metadata of the models that are held', () => {
  test('has TAO’s ids and fields, and null for what NGC does not say', async () => {
    await add(
      'nvidia/tao/ocrnet:trainable_v1.0',
      { endpoints: "['ocrnet']", trainable: 'True', task: 'optical_character-recognition', license: "'NVAIE EULA'" },
      { model: { displayName: 'OCRNet', shortDescription: 'reads', updatedDate: '2023-07-01T00:00:00.000Z' } },
    );
    const { entries } = await written();
    expect(entries).toEqual({
      [OCRNET]: {
        ...{ id: OCRNET, kind: 'experiment', user_id: '00000000-0000-0000-0000-000000000000', shared: false },
        ...{ public: true, read_only: true, base_experiment_ids: [], train_datasets: [], eval_dataset: null },
        ...{ calibration_dataset: null, inference_dataset: null, checkpoint_choose_method: 'best_model' },
        ...{ checkpoint_epoch_number: { id: 0 }, encryption_key: 'tlt_encode', logo: 'https://www.nvidia.com' },
        ...{ network_arch: 'ocrnet', name: 'OCRNet', description: 'reads', model_description: 'reads' },
        ...{
          version: 'trainable_v1.0',
          created_on: '2023-06-01T00:00:00.000Z',
          last_modified: '2023-07-01T00:00:00.000Z',
        },
        ...{ ngc_path: 'nvidia/tao/ocrnet:trainable_v1.0', sha256_digest: {} },
        base_experiment_metadata: {
          ...{ task: 'optical character recognition', backbone_type: null, backbone_class: null, domain: null },
          ...{ license: 'nvaie eula', is_backbone: null, is_trainable: true, num_parameters: null, accuracy: null },
          model_card_link: 'https://catalog.ngc.nvidia.com/orgs/nvidia/teams/tao/models/ocrnet',
          ...{ spec_file_present: true, specs: {} },
        },
        ...{ base_experiment_pull_complete: 'pull_complete', source_type: 'ngc' },
      },
    });
  });

  test('has an entry for each network, in an order that stays', async () => {
    await add('nvidia/segformer:1', { endpoints: "['segformer', 'other']", trainable: 'True', accuracy: "'71%'" });
    const { entries } = await written();
    const ids = ['segformer', 'other'].map((network) => uuid5(`nvidia/segformer:1:${network}`)).sort();
    expect(Object.keys(entries)).toEqual(ids);
    expect(entries[ids[0]!].base_experiment_metadata).toMatchObject({
      accuracy: '71%',
      model_card_link: 'https://catalog.ngc.nvidia.com/orgs/nvidia/models/segformer',
    });
    expect((await writeMetadata(place())).bytes).toEqual((await writeMetadata(place())).bytes);
  });

  test('leaves out what is not trainable, not whole, or not TAO’s', async () => {
    await add('a/frozen:1', { endpoints: "['x']", trainable: 'False' });
    await add('a/torn:1', { endpoints: "['x']", trainable: 'True' });
    await add('a/other:1', { something: '1' });
    await store.catalog('ngc').delete(fileKey(parseTarget('models', 'a/torn:1'), 'model.pth'));
    expect(await written()).toEqual({
      entries: {},
      leftOut: [
        { id: 'a/frozen:1', why: 'it is not trainable' },
        { id: 'a/torn:1', why: 'its files are not all held' },
      ],
    });
  });

  test('has what the network configs say when they are given, and only then', async () => {
    await writeFiles(`${folder.path}/configs`, {
      'ocrnet.config.json': `\ufeff${JSON.stringify({ api_params: { dataset_type: 'ocrnet', actions: ['train'], formats: ['default'], accepted_ds_intents: ['training'] } })}`,
      'object_detection.config.json': JSON.stringify({
        api_params: { actions: ['convert'], formats: ['kitti'] },
        actions_mapping: { auto_label: { network: 'auto_label', action: 'generate' } },
      }),
    });
    const configs = await NetworkConfigs.read(`${folder.path}/configs`);
    await add('a/net:1', { endpoints: "['ocrnet', 'auto_label', 'unknown']", trainable: '1' });
    const { entries, leftOut } = await written(configs);
    expect(entries[uuid5('a/net:1:ocrnet')]).toMatchObject({
      ...{
        dataset_type: 'ocrnet',
        dataset_formats: ['default'],
        accepted_dataset_intents: ['training'],
        actions: ['train'],
      },
    });
    expect(entries[uuid5('a/net:1:auto_label')]).toMatchObject({
      ...{ dataset_type: 'object_detection', dataset_formats: ['kitti'], actions: ['convert'] },
      accepted_dataset_intents: ['training', 'evaluation'],
    });
    expect(leftOut).toEqual([{ id: 'a/net:1 for unknown', why: 'no network config tells of it' }]);
    expect((await written()).entries[uuid5('a/net:1:ocrnet')]).not.toHaveProperty('actions');
    await expect(NetworkConfigs.read(`${folder.path}/files`)).rejects.toThrow(/has no \*\.config\.json/);
    await expect(NetworkConfigs.read('/nowhere')).rejects.toThrow(/cannot be read/);
  });

  test('is published once it is kept', async () => {
    await add('a/net:1', { endpoints: "['ocrnet']", trainable: 'True' });
    await keepMetadata(place(), await writeMetadata(place()));
    const { objects } = await publicationOf(place(), { registry: 'r/', data: 'data/' });
    expect((await Array.fromAsync(objects)).map(({ key }) => key)).toEqual([
      'r/a/net/1/net_v1/experiment.yaml',
      'r/a/net/1/net_v1/model.pth',
      'r/ptm_metadatas.json',
    ]);
  });

  test('is written by the command to a file, or to standard output', async () => {
    const cli = ['--store', `${folder.path}/cli`];
    const none = await larder(['tao', 'metadata', ...cli]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/no model of TAO is held/)]);
    await writeFiles(folder.path, {
      'facts.json': JSON.stringify({
        modelVersion: { customMetrics: metrics({ endpoints: "['ocrnet']", trainable: 'True' }) },
      }),
    });
    const facts = ['--facts', `${folder.path}/facts.json`];
    await larder([
      'ngc',
      'add',
      `${folder.path}/files`,
      '--model',
      'nvidia/tao/ocrnet:trainable_v1.0',
      ...facts,
      ...cli,
    ]);
    const shown = await larder(['tao', 'metadata', ...cli]);
    expect(Object.keys(JSON.parse(shown.stdout))).toEqual([OCRNET]);
    expect(shown.stderr).toMatch(/without --network-configs its entries lack actions.*\n1 entry\n/);
    const kept = await larder(['tao', 'metadata', '--keep', '--to', `${folder.path}/out.json`, ...cli]);
    expect([kept.code, kept.stdout, await readFile(`${folder.path}/out.json`, 'utf8')]).toEqual([0, '', shown.stdout]);
  });
});

describe('Python literals', () => {
  test.each<[string, unknown]>([
    ['[\'ocrnet\', "a"]', ['ocrnet', 'a']],
    ["{'model.tlt': 'ab', 1: (1, 2)}", { 'model.tlt': 'ab', 1: [1, 2] }],
    ['True', true],
    [' None ', null],
    ['-1.5e3', -1500],
    ['(1)', 1],
    ['(1,)', [1]],
    ['[]', []],
    ["'a\\n\\x41\\u00e4\\q'", 'a\nAä\\q'],
    // a text that is none is itself, as TAO takes it
    ['object_detection', 'object_detection'],
    ["['a'", "['a'"],
    ['[1,,2]', '[1,,2]'],
    ['constructor', 'constructor'],
    ['5.0.0', '5.0.0'],
    ['__import__("os")', '__import__("os")'],
    ['['.repeat(200), '['.repeat(200)],
  ])('%j is read', (text, value) => {
    expect(readLiteral(text)).toEqual(value);
  });

  test('are written as they are read', () => {
    const value = { a: [1, true, null, "it's", 'plain', 'ä\n"'], b: {} };
    expect(readLiteral(writeLiteral(value))).toEqual(value);
    expect(writeLiteral(['ocrnet', 'dino'])).toBe("['ocrnet', 'dino']");
  });
});

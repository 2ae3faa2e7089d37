import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { bytesOf } from '../support/hub-sites.ts';
import { type S3Site, startS3Site } from '../support/s3-site.ts';

const CALLS = join(import.meta.dirname, '../fixtures/python/s3/tao_calls.py');
const REGISTRY = 'shared-storage/ptm/airgapped-models';
/** Of the path and the network, as TAO's `pretrained_models` works it out. */
const OCRNET = '593ab7be-2395-52a8-a3a1-aaf9ea54ce00';
const OTHER = '00000000-0000-4000-8000-000000000001';

const experiment = (id: string, name: string, hasSpecs: boolean) => ({
  ...{ id, kind: 'experiment', user_id: '00000000-0000-0000-0000-000000000000', public: true, read_only: true },
  ...{ name: name.toUpperCase(), network_arch: name, dataset_type: name, dataset_formats: ['default'] },
  ...{ actions: ['train'], accepted_dataset_intents: ['training'], ngc_path: `nvidia/tao/${name}:trainable_v1.0` },
  base_experiment_metadata: { is_trainable: true, spec_file_present: hasSpecs, specs: {} },
});
const METADATA = {
  [OCRNET]: experiment(OCRNET, 'ocrnet', true),
  [OTHER]: experiment(OTHER, 'dino', false),
  broken: { id: 'another' },
};
const FILES = {
  'ptm_metadatas.json': JSON.stringify(METADATA),
  'nvidia/tao/ocrnet/trainable_v1.0/ocrnet_vtrainable_v1.0/model.pth': 'weights',
  'nvidia/tao/ocrnet/trainable_v1.0/ocrnet_vtrainable_v1.0/experiment.yaml': 'train:\n  epochs: 7\n',
  'nvidia/tao/dino/trainable_v1.0/dino_vtrainable_v1.0/model.hdf5': 'others',
};

let site: S3Site;
let outcomes: Record<string, unknown>;
const at = (name: string) => join(site.folder, name);

async function put(name: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(at(name)), { recursive: true });
  await writeFile(at(name), content);
}

beforeAll(async () => {
  site = await startS3Site();
  for (const [name, content] of Object.entries(FILES)) await put(`airgapped-assets/models/${name}`, content);
  await put('results', bytesOf(60_000_000, 'results'));
  for (let index = 0; index < 12; index += 1) await put(`job/step-${index}/status.json`, `${index}`);
  await put('job/log.txt', 'log');
  const aws = join(await client('awscli'), 'aws');
  await site.run(aws, ['s3', 'mb', 's3://tao-storage']);
  await site.run(aws, ['s3', 'cp', '--recursive', 'airgapped-assets/models/', `s3://tao-storage/${REGISTRY}/`]);
  const ran = await site.run(join(await client('tao-core'), 'python'), [CALLS]);
  outcomes = JSON.parse(ran.trimEnd().split('\n').at(-1)!) as Record<string, unknown>;
});
afterAll(() => site?.close());

describe('TAO’s core, its workspace a bucket of ours', () => {
  test('loads the experiments of ptm_metadatas.json and their specs by its own AirgappedExperimentLoader', () => {
    expect(outcomes.loader).toEqual({
      done: true,
      experiments: {
        [OCRNET]: { is_trainable: true, spec_file_present: true, specs: { train: { epochs: 7 } } },
        [OTHER]: { is_trainable: true, spec_file_present: false, specs: {} },
      },
    });
  });

  test('finds weights as its jobs look for them', () => {
    const model = `${REGISTRY}/nvidia/tao/ocrnet/trainable_v1.0/ocrnet_vtrainable_v1.0`;
    expect(outcomes.found).toBe(`${model}/model.pth`);
    expect(outcomes.globbed).toEqual([`${model}/model.pth`]);
    expect(outcomes.listed).toEqual(
      Object.keys(FILES)
        .map((name) => `${REGISTRY}/${name}`)
        .sort(),
    );
    expect(outcomes.kinds).toEqual([true, false, true, false]);
  });

  test('writes 60 MB in parts and reads them in ranges', () => {
    expect(outcomes.large).toBe(true);
    expect(outcomes.info).toEqual({
      size: 60_000_000,
      type: 'file',
      ETag: expect.stringMatching(/^"[0-9a-f]{32}-2"$/),
    });
    expect(outcomes.ranges).toBe(true);
  });

  test('uploads, copies, moves, downloads and deletes folders', () => {
    const job = ['log.txt', ...Array.from({ length: 12 }, (_, index) => `step-${index}/status.json`)].sort();
    const in2and4 = ['job-2', 'job-4'].flatMap((folder) => job.map((name) => `results/${folder}/${name}`));
    expect(outcomes.moved).toEqual(['results/job-1/model.pth', ...in2and4].sort());
    expect(outcomes.brought).toEqual(job);
    expect(outcomes.deleted).toEqual([]);
    expect(outcomes.walk).toEqual(expect.arrayContaining([['tao-storage/results/job-1', ['model.pth']]]));
  });

  test('is told of a key that is wrong and of a bucket that is not there', () => {
    expect(outcomes['wrong secret']).toMatch(/seaweedfs: The request signature .* does not match .*Check your key/);
    expect(outcomes['no bucket']).toMatch(/^CloudStorageConnectionError: .*does not exist/);
  });
});

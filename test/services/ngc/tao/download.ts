import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mustRun } from '../../../support/python-clients.ts';

/** `nvidia/tao/ocrnet:trainable_v1.0` by `ocrnet`, as TAO works it out (reference ngc.md §1.3). */
export const OCRNET = '593ab7be-2395-52a8-a3a1-aaf9ea54ce00';
export const SEGFORMER = '11111111-2395-52a8-a3a1-aaf9ea54ce00';
export const HUB = '22222222-2395-52a8-a3a1-aaf9ea54ce00';
const NIL = '00000000-0000-0000-0000-000000000000';

export const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
export const md5 = (bytes: string | Buffer) => createHash('md5').update(bytes).digest('hex');

/** An entry as `pretrained_models` writes one. */
export function entry(id: string, more: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) {
  return {
    ...{ id, kind: 'experiment', user_id: NIL, shared: false, public: true, read_only: true },
    ...{ base_experiment_ids: [], checkpoint_choose_method: 'best_model', encryption_key: 'tlt_encode' },
    ...{ network_arch: 'ocrnet', dataset_type: 'ocrnet', dataset_formats: ['default'], actions: ['train'] },
    ...{
      accepted_dataset_intents: ['training'],
      name: 'OCRNet',
      description: 'reads characters',
      version: 'trainable_v1.0',
    },
    ...{ model_description: 'Model to read characters', created_on: '2023-06-01T00:00:00.000Z' },
    ...{ last_modified: '2023-07-01T00:00:00.000Z', ngc_path: 'nvidia/tao/ocrnet:trainable_v1.0', sha256_digest: {} },
    base_experiment_metadata: {
      ...{
        task: 'optical character recognition',
        backbone_type: 'cnn',
        backbone_class: null,
        domain: null,
        license: null,
      },
      ...{ is_backbone: true, is_trainable: true, num_parameters: '93M', accuracy: '71.2%' },
      ...{ model_card_link: 'https://catalog.ngc.nvidia.com/orgs/nvidia/teams/tao/models/ocrnet' },
      ...{ spec_file_present: true, specs: {}, ...metadata },
    },
    ...{ base_experiment_pull_complete: 'pull_complete', source_type: 'ngc', ...more },
  };
}

const OCRNET_FOLDER = 'nvidia/tao/ocrnet/trainable_v1.0/ocrnet_vtrainable_v1.0';
export const WEIGHTS = Buffer.alloc(200_000, 'weights of ocrnet');
export const SPEC = 'train:\n  epochs: 7\n';

/** What TAO downloads: by path in `airgapped-models`. */
export function modelFiles(): Record<string, string | Buffer> {
  return {
    'ptm_metadatas.json': JSON.stringify(
      {
        [OCRNET]: entry(OCRNET),
        [SEGFORMER]: entry(
          SEGFORMER,
          {
            ngc_path: 'nvidia/segformer:1.0+a',
            network_arch: 'segformer',
            sha256_digest: { 'model.tlt': sha256('tlt') },
          },
          { spec_file_present: false },
        ),
        [HUB]: entry(
          HUB,
          { ngc_path: 'acme/tiny', source_type: 'huggingface', network_arch: 'clip' },
          { spec_file_present: false },
        ),
      },
      undefined,
      2,
    ),
    [`${OCRNET_FOLDER}/model.pth`]: WEIGHTS,
    [`${OCRNET_FOLDER}/experiment.yaml`]: SPEC,
    'nvidia/segformer/1.0+a/segformer_v1.0+a/deep/model.tlt': 'tlt',
    'huggingface/acme_tiny/config.json': '{}',
    'huggingface/acme_tiny/.cache/huggingface/download/config.json.metadata': 'x',
  };
}

export const DATASETS = { 'train/images/1.jpg': 'jpeg', 'val/labels.csv': 'a,b\n', 'empty.txt': '' };

export async function writeFiles(folder: string, files: Record<string, string | Buffer>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** `airgapped-assets` in a folder, with models and datasets. */
export async function writeAssets(folder: string, models = modelFiles()): Promise<string> {
  await writeFiles(join(folder, 'airgapped-assets/models'), models);
  await writeFiles(join(folder, 'airgapped-assets/datasets'), DATASETS);
  return join(folder, 'airgapped-assets');
}

/** As the guide packs it: `tar -czf`, and `sha256sum` beside it. */
export async function pack(folder: string): Promise<string> {
  await mustRun('sh', [
    '-euc',
    `cd "${folder}"; tar -czf airgapped-assets.tar.gz airgapped-assets/; sha256sum airgapped-assets.tar.gz > airgapped-assets.tar.gz.sha256`,
  ]);
  return join(folder, 'airgapped-assets.tar.gz');
}

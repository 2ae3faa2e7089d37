import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uuid5 } from '../../services/ngc/tao/metadata.ts';
import { type AirGap, makeAirGap } from '../support/air-gap.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { client } from '../support/clients.ts';
import { bytesOf, sha256 } from '../support/hub-sites.ts';
import { answerOf } from '../support/library-content.ts';
import type { NgcWish } from '../support/ngc-origin.ts';
import { type NgcPlace, type NgcSites, startNgcSites } from '../support/ngc-sites.ts';
import { clientHome, mustRun, runCommand } from '../support/python-clients.ts';
import { filesIn } from '../support/s3-site.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

const LOAD = join(import.meta.dirname, '../fixtures/python/tao/load.py');
const REGISTRY = '/shared-storage/ptm/airgapped-models';
const SITE_KEY = { key: 'nvapi-of-the-site', orgs: ['acme'], teams: { acme: ['lab'] } };
const KEYED = { LARDER_NGC_API_KEY: SITE_KEY.key, LARDER_NGC_ORG: 'acme' };
/** What NVIDIA's guide has for a key: whoever asks inside the site needs none of NVIDIA's. */
const KEYS: Record<string, string> = {
  'tao-core': 'nvapi-of-somebody-here',
  // it takes an nvapi- key for its own org alone, wherever NGC is
  'tao-core-6': 'b2xkZXIta2V5LW9mLXNvbWVib2R5OmhlcmU=',
};
const CLIENTS = Object.keys(KEYS);

const metrics = (network: string, trainable = 'True') => ({
  customMetrics: [
    {
      name: 'TAO',
      attributes: [
        { key: 'endpoints', value: `['${network}']` },
        { key: 'trainable', value: trainable },
        { key: 'task', value: 'object_detection' },
      ],
    },
  ],
});
const SPEC = 'train:\n  epochs: 7\n';
const WISHES: NgcWish[] = [
  {
    id: 'nvidia/tao/ocrnet',
    version: 'trainable_v1.0',
    files: { 'model.pth': bytesOf(3 << 20, 'ocrnet'), 'experiment.yaml': SPEC, 'deep/labels.txt': 'a b' },
    versionFields: metrics('ocrnet'),
  },
  { id: 'nvidia/tao/segformer', version: '1.0', files: { 'model.tlt': 'seg' }, versionFields: metrics('segformer') },
  // only a list of one's own leads to these: they say nothing of networks
  { id: 'nvidia/tao/dino', version: 'v1', files: { 'dino.pth': 'dino' } },
  { id: 'nvidia/tao/frozen', version: '1', files: { 'frozen.pth': 'x' }, versionFields: metrics('dino', 'False') },
  {
    id: 'acme/lab/own',
    version: '2',
    files: { 'own.pth': 'own' },
    access: 'private' as const,
    versionFields: metrics('dino'),
  },
];
const ITEMS = WISHES.map(({ id, version }) => `{ ngc: "${id}:${version}" }`);
const CSV = `displayName,ngc_path,network_arch,is_backbone,
Dino,ngc://nvidia/tao/dino:v1,dino,
OCRNet from a list,nvidia/tao/ocrnet:trainable_v1.0,ocrnet,True
`;

const OCRNET = '593ab7be-2395-52a8-a3a1-aaf9ea54ce00';
const IDS = {
  ocrnet: OCRNET,
  segformer: uuid5('nvidia/tao/segformer:1.0:segformer'),
  dino: uuid5('nvidia/tao/dino:v1:dino'),
  own: uuid5('acme/lab/own:2:dino'),
};
type Model = keyof typeof IDS;

/** The four ways of the guide, and discovery without a word on where; what each is to bring. */
const MODES: Record<string, { args: string[]; csv?: true; models: Model[]; downloads?: string[] }> = {
  'auto-discovery in a team': {
    args: ['--org-teams', 'nvidia/tao'],
    models: ['ocrnet', 'segformer'],
    // downloaded before it is found to be nothing for it
    downloads: ['frozen'],
  },
  'auto-discovery of all that can be reached': {
    args: [],
    models: ['ocrnet', 'segformer', 'own'],
    downloads: ['frozen'],
  },
  'a CSV file': { args: ['--use-csv'], csv: true, models: ['dino', 'ocrnet'] },
  'names of models': {
    args: ['--model-names', 'segformer,centerpose', '--org-teams', 'nvidia/tao'],
    models: ['segformer'],
  },
  'both together': {
    args: ['--use-both', '--org-teams', 'nvidia/tao'],
    csv: true,
    models: ['dino', 'ocrnet', 'segformer'],
    downloads: ['frozen'],
  },
};

let sites: NgcSites;
let outside: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  outside = await temporaryFolder();
  sites = await startNgcSites({
    wishes: WISHES,
    items: ITEMS,
    origin: { accounts: [SITE_KEY], cdnName: 'localhost' },
    settings: KEYED,
  });
});
afterAll(async () => {
  await sites?.close();
  await outside?.remove();
});

interface Downloaded {
  metadata: Record<string, Record<string, unknown>>;
  /** sha256 by path in `airgapped-models`. */
  files: Record<string, string>;
}

/** `python -m nvidia_tao_core.microservices.pretrained_models`, as the guide has it. */
async function download(place: NgcPlace, name: string, mode: string, keepIn?: string): Promise<Downloaded> {
  const { args, csv } = MODES[mode]!;
  const python = join(await client(name), 'python');
  const shipped = csv && (await csvOf(python));
  const own = join(outside.path, 'models.csv');
  await writeFile(own, CSV);
  const command = [python, '-m', 'nvidia_tao_core.microservices.pretrained_models', ...args];
  command.push('--ngc-key', KEYS[name]!, '--shared-folder-path', './airgapped-models');
  // 6.26 reads the list that lies beside it, and no other: ours lies there, for this process alone
  const script = csv ? 'mount --bind "$0" "$1" && shift && exec "$@"' : 'shift && exec "$@"';
  const ran = await place.run('sh', ['-ec', script, own, shipped || '-', ...command], {
    // with more of them its own counters of files are mixed up, and downloads end without files and without a word
    env: { AIRGAPPED_MODE: 'True', PTM_API_KEY: KEYS[name], PTM_MAX_WORKERS: '1' },
    look: async (folder) => {
      const models = join(folder, 'airgapped-models');
      if (keepIn) await cp(models, keepIn, { recursive: true });
      const text = await readFile(join(models, 'ptm_metadatas.json'), 'utf8').catch(() => '{}');
      return { metadata: JSON.parse(text), files: await filesIn(models).catch(() => ({})) };
    },
  });
  const { metadata, files } = ran.found as Downloaded;
  const said = Object.keys(metadata).length > 0 ? '' : ran.stderr.slice(-6000) + place.log().slice(-3000);
  expect(`${ran.code} ${said}`).toBe('0 ');
  return { metadata, files };
}

async function csvOf(python: string): Promise<string> {
  const ran = await runCommand(python, ['-c', 'import nvidia_tao_core; print(nvidia_tao_core.__path__[0])']);
  return join(ran.stdout.trim(), 'microservices/pretrained_models.csv');
}

/** Where TAO puts the files of these models. */
function treeOf(models: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { id, version, files } of WISHES) {
    const name = id.split('/').at(-1)!;
    if (!models.includes(name)) continue;
    for (const [path, bytes] of Object.entries(files))
      found[`${id}/${version}/${name}_v${version}/${path}`] = sha256(bytes);
  }
  return found;
}

function expectDownloaded({ metadata, files }: Downloaded, mode: string, held = false): void {
  const { models, downloads = [] } = MODES[mode]!;
  expect(Object.keys(metadata).sort()).toEqual(models.map((model) => IDS[model]).sort());
  if (models.includes('ocrnet'))
    expect(metadata[OCRNET]).toMatchObject({
      ngc_path: 'nvidia/tao/ocrnet:trainable_v1.0',
      network_arch: 'ocrnet',
      base_experiment_metadata: { task: 'object detection', spec_file_present: true, specs: { train: { epochs: 7 } } },
    });
  const { 'ptm_metadatas.json': _list, ...rest } = files;
  const others = Object.fromEntries(Object.entries(rest).filter(([path]) => !path.endsWith('_lock.lock')));
  expect(others, held ? 'behind the gap' : 'connected').toEqual(treeOf([...models, ...downloads]));
}

/** Whole files that NGC's file host has given so far. */
const fetched = () => sites.ngc.calls('/files/', 'cdn').length;

describe.each(CLIENTS)('%s downloads its models by', (name) => {
  test.each(Object.keys(MODES))(
    '%s: from a mirror that holds nothing, from one that does, and behind the gap',
    async (mode) => {
      const mirror = await sites.cold(KEYED);
      try {
        expectDownloaded(await download(mirror, name, mode), mode);
        const before = fetched();
        expectDownloaded(await download(mirror, name, mode), mode);
        expect(fetched()).toBe(before);
      } finally {
        await mirror.larder.stop();
      }
      expectDownloaded(await download(sites.behindTheGap, name, mode), mode, true);
    },
  );
});

describe.each(CLIENTS)('what %s downloaded', (name) => {
  let gap: AirGap;
  let site: SpawnedLarder;
  let home: Awaited<ReturnType<typeof clientHome>>;
  let store: string;

  beforeAll(async () => {
    const folder = join(outside.path, name);
    store = join(folder, 'store');
    await mkdir(join(folder, 'airgapped-assets/datasets/train'), { recursive: true });
    await download(sites.behindTheGap, name, 'both together', join(folder, 'airgapped-assets/models'));
    await writeFile(join(folder, 'airgapped-assets/datasets/train/1.txt'), 'one');
    const pack =
      'tar -czf airgapped-assets.tar.gz airgapped-assets/; sha256sum airgapped-assets.tar.gz > airgapped-assets.tar.gz.sha256';
    await mustRun('sh', ['-euc', `cd "${folder}"; ${pack}`]);
    home = await clientHome();
    gap = await makeAirGap();
    const keys = JSON.stringify([{ accessKeyId: 'seaweedfs', secretAccessKey: 'seaweedfs123' }]);
    const env = { AIRGAPPED_MODE: 'true', LARDER_S3_KEYS: keys };
    site = await spawnLarder({ store, env, wrap: gap.inside });
    // into a site that runs
    for (const args of [
      ['import', join(folder, 'airgapped-assets.tar.gz')],
      ['publish', '--registry', REGISTRY, '--bucket', 'tao-storage'],
    ]) {
      const ran = await larder(['tao', ...args, '--store', store]);
      expect(`${ran.code} ${ran.stderr}`).toMatch(/^0 /);
    }
  });
  afterAll(async () => {
    await site?.stop();
    await gap?.close();
    await home?.remove();
  });

  const env = (registry = REGISTRY) => ({
    ...home.env,
    ...{ AWS_ACCESS_KEY_ID: 'seaweedfs', AWS_SECRET_ACCESS_KEY: 'seaweedfs123', AWS_ENDPOINT_URL: site.urls.s3 },
    ...{ AWS_DEFAULT_REGION: 'us-east-1', LOCAL_MODEL_REGISTRY: registry, AIRGAPPED_MODE: 'true' },
  });
  async function load(registry?: string): Promise<Record<string, unknown>> {
    const python = join(await client(name), 'python');
    const ran = await runCommand(...gap.inside(python, [LOAD]), { env: env(registry), cwd: home.path });
    expect(`${ran.code} ${ran.code === 0 ? '' : ran.stderr.slice(-4000)}`).toBe('0 ');
    return answerOf(ran) as Record<string, unknown>;
  }

  test('is found again in the bucket by its own AirgappedExperimentLoader, and the weights by its jobs’ search', async () => {
    const base = REGISTRY.slice(1);
    expect(await load()).toEqual({
      done: true,
      specs: { [IDS.ocrnet]: { train: { epochs: 7 } }, [IDS.segformer]: {}, [IDS.dino]: {} },
      weights: {
        [IDS.ocrnet]: `${base}/nvidia/tao/ocrnet/trainable_v1.0/ocrnet_vtrainable_v1.0/model.pth`,
        [IDS.segformer]: `${base}/nvidia/tao/segformer/1.0/segformer_v1.0/model.tlt`,
        [IDS.dino]: `${base}/nvidia/tao/dino/v1/dino_vv1/dino.pth`,
      },
      data: ['data/train/1.txt'],
    });
    expect(await gap.escaped()).toBe(0);
  });

  test('is listed and copied by the aws command, with the ETags of the bytes', async () => {
    const aws = join(await client('awscli'), 'aws');
    const run = async (...args: string[]) => {
      const ran = await runCommand(...gap.inside(aws, ['--endpoint-url', site.urls.s3!, ...args]), {
        env: env(),
        cwd: home.path,
      });
      expect(`${ran.code} ${ran.stderr}${ran.code === 0 ? '' : site.log().slice(-2000)}`).toBe('0 ');
      return ran.stdout;
    };
    const prefix = `${REGISTRY.slice(1)}/nvidia/tao/segformer/`;
    expect(await run('s3', 'ls', '--recursive', `s3://tao-storage/${prefix}`)).toMatch(
      / 3 \S+segformer_v1\.0\/model\.tlt$/m,
    );
    const listed = await run('s3api', 'list-objects-v2', '--bucket', 'tao-storage', '--prefix', prefix);
    // md5 of "seg"
    expect(JSON.parse(listed).Contents).toMatchObject([{ ETag: '"7931430739acc727db829c12b3915b94"' }]);
    await run('s3', 'cp', '--recursive', `s3://tao-storage/${REGISTRY.slice(1)}/`, 'back');
    const { 'ptm_metadatas.json': _list, ...files } = await filesIn(join(home.path, 'back'));
    expect(files).toEqual(treeOf(['ocrnet', 'segformer', 'dino']));
    // what is published again is what is there
    expect(await run('s3', 'sync', `s3://tao-storage/${REGISTRY.slice(1)}/`, 'back')).toBe('');
  });

  test('is missed in its own words when LOCAL_MODEL_REGISTRY is another one', async () => {
    expect((await load('/shared-storage/models')).error).toMatch(
      /JSON file not found at shared-storage\/models\/ptm_metadatas\.json|Failed to download JSON file from cloud storage/,
    );
  });
});

test('nothing tried to leave the gap', async () => {
  expect(await sites.escaped()).toBe(0);
});

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HubPlace, type HubSites, sha256, startHubSites, tinyModel } from '../support/hub-sites.ts';
import { npmPackages, printedJson, projectWith } from '../support/npm-clients.ts';
import { clientHome } from '../support/python-clients.ts';

const MODEL = tinyModel();
const DATASET = { id: 'acme/ds', type: 'datasets' as const, files: { 'data/train.csv': 'text,label\nhello,1\n' } };
const BIG = MODEL.files['big.bin']!;
/** Of files in git the blob's id, of large ones the digest of their bytes. */
const ETAGS = {
  'big.bin': `"${sha256(BIG)}"`,
  'empty.txt': '"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"',
};

let sites: HubSites;
let mirror: HubPlace;

beforeAll(async () => {
  sites = await startHubSites([MODEL, DATASET], ['{ hf: "acme/tiny" }', '{ hf-dataset: "acme/ds" }']);
  mirror = await sites.cold();
});

afterAll(() => sites?.close());

const COLD = 'through a mirror that holds nothing yet';

/** Cold comes first: it is what warms the mirror. */
const PLACES: Record<string, () => HubPlace> = {
  [COLD]: () => mirror,
  'through the same mirror, warm': () => mirror,
  'behind the gap': () => sites.behindTheGap,
};

/** Runs a script at a place, in a project of its own. */
async function runScript<T>(
  place: HubPlace,
  packages: string,
  script: string,
): Promise<{ outcomes: T; fetched: number }> {
  const home = await clientHome();
  const project = join(home.path, 'project');
  await mkdir(project);
  const before = filesFetched();
  const path = await projectWith(packages, script, project);
  const ran = await place.run(process.execPath, [path, place.url, join(home.path, 'hub-cache')], home);
  await home.remove();
  return { outcomes: printedJson<T>(ran), fetched: filesFetched() - before };
}

/** Files that the hub and its file host have given so far; the one byte that clients open with is not a file. */
function filesFetched(): number {
  const given = [...sites.hub.calls('/lfs/'), ...sites.hub.calls('/api/resolve-cache/')];
  return given.filter(({ method, headers }) => method === 'GET' && headers.range === undefined).length;
}

interface Outcome {
  // biome-ignore lint/suspicious/noExplicitAny: what each call of the library gives is judged where it is looked at
  value?: any;
  error?: { status: number | null; message: string };
}

describe.each(Object.entries(PLACES))('@huggingface/hub, %s', (where, place) => {
  let outcomes: Record<string, Outcome>;
  let fetched: number;

  beforeAll(async () => {
    const packages = await npmPackages('huggingface-hub', ['@huggingface/hub']);
    ({ outcomes, fetched } = await runScript<Record<string, Outcome>>(place(), packages, 'hub-calls.mjs'));
  });

  const given = (name: string) => {
    expect(outcomes[name], name).not.toHaveProperty('error');
    return outcomes[name]!.value;
  };
  const statusOf = (name: string) => outcomes[name]!.error?.status;

  test('fileDownloadInfo knows a large, a small and an empty file, and that one is missing', () => {
    expect(given('infoLarge')).toMatchObject({ size: BIG.length, etag: ETAGS['big.bin'] });
    expect(given('infoLarge').xet).toBeUndefined();
    expect(given('infoSmall')).toMatchObject({ size: MODEL.files['config.json']!.length });
    expect(given('infoEmpty')).toMatchObject({ size: 0, etag: ETAGS['empty.txt'] });
    expect(given('infoMissing')).toBeNull();
  });

  test('downloadFile gives the bytes, a part of them, and of a large file its pointer', () => {
    expect(given('fileLarge')).toBe(sha256(BIG));
    expect(given('fileSmall')).toBe(sha256(MODEL.files['sub/dir/f.txt']!));
    expect(given('fileEmpty')).toBe(sha256(''));
    expect(given('fileMissing')).toBeNull();
    expect(given('slice')).toBe(BIG.subarray(5_000_000, 5_000_016).toString('hex'));
    expect(given('filePointer')).toContain(`oid sha256:${sha256(BIG)}\nsize ${BIG.length}\n`);
    expect(given('datasetFile')).toBe(sha256(DATASET.files['data/train.csv']));
  });

  test('listFiles names what is there, with commits when asked to expand', () => {
    const top = Object.keys(MODEL.files).map((path) => path.split('/')[0]!);
    expect(given('listFiles').sort()).toEqual([...new Set(top)].sort());
    const below = given('listFilesBelow') as { type: string; path: string; lastCommit?: { id: string } }[];
    const files = below.filter(({ type }) => type === 'file');
    expect(files.map(({ path }) => path).sort()).toEqual(Object.keys(MODEL.files).sort());
    expect(files.every(({ lastCommit }) => lastCommit?.id === sites.hub.repo('acme/tiny').sha)).toBe(true);
    expect(files.every((file) => !('xetHash' in file))).toBe(true);
    expect(statusOf('listFilesMissing')).toBe(404);
  });

  test('pathsInfo tells files and folders, drops what is not there, and hides Xet', () => {
    const rows = given('pathsInfo') as { path: string; type: string; lfs?: object; xetHash?: string }[];
    expect(rows).toEqual([
      expect.objectContaining({
        path: 'big.bin',
        type: 'file',
        lfs: { oid: sha256(BIG), size: BIG.length, pointerSize: 133 },
      }),
      expect.objectContaining({ path: 'sub', type: 'directory' }),
    ]);
    expect(rows[0]!.xetHash).toBeUndefined();
    expect(given('pathsInfoExpanded')[0].lastCommit.id).toBe(sites.hub.repo('acme/tiny').sha);
  });

  test('modelInfo and datasetInfo tell the commit', () => {
    expect(given('modelInfo')).toMatchObject({ name: 'acme/tiny', sha: sites.hub.repo('acme/tiny').sha });
    expect(given('datasetInfo')).toMatchObject({ name: 'acme/ds', sha: sites.hub.repo('acme/ds').sha });
    expect(statusOf('modelInfoMissing')).toBe(404);
    const reason = where === 'behind the gap' ? /not held here/ : /Repository not found/;
    expect(outcomes.modelInfoMissing!.error!.message).toMatch(reason);
  });

  test('listModels and listCommits find what is there', () => {
    expect(given('listModels')).toEqual(['acme/tiny']);
    expect(given('listModelsNone')).toEqual([]);
    expect(given('listCommits').map(({ oid }: { oid: string }) => oid)).toEqual([sites.hub.repo('acme/tiny').sha]);
    expect(statusOf('listCommitsMissing')).toBe(404);
  });

  test('fileExists, repoExists and checkRepoAccess know what is there and what is not', () => {
    expect(given('fileExists')).toBe(true);
    expect(given('fileExistsMissing')).toBe(false);
    expect(given('repoExists')).toBe(true);
    expect(given('repoExistsMissing')).toBe(false);
    expect(given('checkRepoAccess')).toBe('granted');
    expect(statusOf('checkRepoAccessMissing')).toBe(404);
  });

  test('whoAmI is refused to a token that Larder did not give', () => {
    expect(statusOf('whoAmI')).toBe(401);
  });

  test('snapshotDownload has every file, the empty one too', () => {
    const { commit, files } = given('snapshotDownload');
    expect(commit).toBe(sites.hub.repo('acme/tiny').sha);
    expect(files).toEqual(
      Object.fromEntries(Object.entries(MODEL.files).map(([path, bytes]) => [path, sha256(bytes)])),
    );
  });

  test('parseSafetensorsMetadata reads the header by ranges', () => {
    expect(given('parseSafetensorsMetadata')).toEqual({
      tensors: ['embeddings.weight', 'pooler.bias'],
      parameterCount: { F32: 128 },
    });
  });

  test('each file is fetched from the hub once, and never again', () => {
    const files = [...Object.values(MODEL.files), ...Object.values(DATASET.files)].filter((bytes) => bytes.length > 0);
    expect(fetched).toBe(where === COLD ? files.length : 0);
  });
});

interface Loaded {
  tokens: { value: number[] };
  config: { value: object };
  missing: { error: string };
}

describe('transformers.js', () => {
  let packages: string;

  beforeAll(async () => {
    packages = await npmPackages('transformers', ['@huggingface/transformers']);
    mirror = await sites.cold();
  });

  test.each(Object.entries(PLACES))(
    'loads a tokenizer and a config, and is told of a missing repo, %s',
    async (_, place) => {
      const { outcomes } = await runScript<Loaded>(place(), packages, 'transformers-calls.mjs');
      expect(outcomes.tokens).toEqual({ value: [2, 5, 6, 3] });
      expect(outcomes.config).toEqual({ value: { model_type: 'bert', hidden_size: 16 } });
      expect(outcomes.missing.error).toMatch(/Could not locate file/);
    },
  );
});

test('nothing tried to leave the gap', async () => {
  expect(await sites.escaped()).toBe(0);
});

import { createCipheriv } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { digestOf, hexOf } from '../../shared/model/digest.ts';
import { type AirGap, makeAirGap } from '../support/air-gap.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { client } from '../support/clients.ts';
import { type Hub, startHub } from '../support/hub.ts';
import { clientHome, type Ran, runCommand } from '../support/python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

/** Milliseconds for the first run on a machine: torch and what it needs are 6 GB. */
const INSTALL = 1_800_000;
const SCRIPTS = join(import.meta.dirname, '../fixtures/python/hub');
/** Files over 1 MB are offered by Xet. */
const OFFER_XET = { LARDER_HUGGINGFACE_XET_FROM_BYTES: '1000000' };
/** What KServe's controller gives to its storage initializer (reference/mlis.md §2.3). */
const KSERVE = {
  HF_HUB_ENABLE_HF_TRANSFER: '1',
  HF_XET_HIGH_PERFORMANCE: '1',
  HF_XET_NUM_CONCURRENT_RANGE_GETS: '8',
};

/** One line of the log of a Larder, for a request. */
interface Line {
  method: string;
  path: string;
  status: number;
}

/** A library at work. */
interface Work {
  /** Of the clients, and a script of test/fixtures/python/hub. */
  client: string;
  script: string;
  args(home: string): string[];
  env?: NodeJS.ProcessEnv;
  /** Settings of the Larder that it works with. */
  settings?: NodeJS.ProcessEnv;
  /** It asks the name server for `datasets-server.<host>`, whatever HF_ENDPOINT says, and goes on without. */
  resolvesNames?: true;
  /** What the script prints when all is well. */
  expected(): unknown;
  /** What it must, or must not, have asked for. */
  asked?(lines: Line[]): void;
}

let folder: { path: string; remove(): Promise<void> };
let hub: Hub;
let model: { folder: string; files: Record<string, Buffer> };
const big = noise(120_000_000, 'big');
const heavy = noise(40_000_000, 'heavy');

const WORKS: Record<string, Work> = {
  'transformers loads a model and runs it': {
    client: 'hf-libraries',
    script: 'run_transformers.py',
    args: () => ['acme/tiny'],
    expected: () => fromFolder['run_transformers.py'],
  },
  'sentence-transformers loads a model and encodes with it': {
    client: 'hf-libraries',
    script: 'run_sentences.py',
    args: () => ['acme/tiny'],
    expected: () => fromFolder['run_sentences.py'],
  },
  'datasets loads a dataset': {
    client: 'hf-libraries',
    script: 'load_dataset.py',
    args: () => ['acme/ds', 'whole'],
    resolvesNames: true,
    expected: () => ROWS,
  },
  'datasets reads a dataset as a stream': {
    client: 'hf-libraries',
    script: 'load_dataset.py',
    args: () => ['acme/ds', 'streaming'],
    resolvesNames: true,
    expected: () => ROWS,
    asked(lines) {
      const rows = lines.filter(({ path }) => path.endsWith('.parquet')).map(({ status }) => status);
      expect(rows.length).toBeGreaterThan(1);
      expect(new Set(rows)).toEqual(new Set([206]));
    },
  },
  'hf_transfer downloads a file of 120 MB in many parts at once': {
    client: 'hf-0.36',
    script: 'fetch_file.py',
    args: () => ['acme/big', 'big.bin'],
    env: { HF_HUB_ENABLE_HF_TRANSFER: '1' },
    expected: () => hexOf(digestOf(big)),
    asked: (lines) => expect(partsOf(lines, '/big.bin')).toBeGreaterThan(10),
  },
  "KServe's storage initializer downloads a model with hf_transfer": {
    client: 'kserve-0.20',
    script: 'run_kserve.py',
    args: (home) => ['hf://acme/tiny', join(home, 'models')],
    env: KSERVE,
    expected: () => digestsOf(model.files),
    asked: (lines) => expect(partsOf(lines, '/model.safetensors')).toBeGreaterThan(6),
  },
  "KServe's newest downloads a commit of a model": {
    client: 'kserve',
    script: 'run_kserve.py',
    args: (home) => [`hf://acme/tiny:${hub.repo('acme/tiny').sha}`, join(home, 'models')],
    env: KSERVE,
    expected: () => digestsOf(model.files),
    asked: (lines) => expect(xetIn(lines)).toEqual([]),
  },
  'hf_xet downloads a file by Xet where it is offered': {
    client: 'hf-2',
    script: 'fetch_file.py',
    args: () => ['acme/heavy', 'weights.bin'],
    settings: OFFER_XET,
    expected: () => hexOf(digestOf(heavy)),
    asked(lines) {
      const answered = lines.filter(({ status }) => status < 300).map(({ path }) => path);
      expect(answered).toContainEqual(expect.stringContaining('/xet-read-token/'));
      expect(answered).toContainEqual(expect.stringMatching(/\/v[12]\/reconstructions\//));
      expect(answered).toContainEqual(expect.stringContaining('/xorbs/'));
      expect(lines.filter(({ method, path }) => method === 'GET' && path.includes('/resolve/'))).toEqual([]);
    },
  },
  'hf_xet is not used where Xet is not offered': {
    client: 'hf-2',
    script: 'fetch_file.py',
    args: () => ['acme/heavy', 'weights.bin'],
    expected: () => hexOf(digestOf(heavy)),
    asked: (lines) => expect(xetIn(lines)).toEqual([]),
  },
};

const ROWS = { rows: 5000, sum: 12_497_500, last: { id: 4999, text: 'sentence 4999 of a site, 104248' } };
/** What the model's own folder gives, without any hub. */
const fromFolder: Record<string, unknown> = {};

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const { client: name } of Object.values(WORKS)) await client(name);
  hub = await startHub();
  model = await makeModel();
  const parquet = join(folder.path, 'train.parquet');
  await python('hf-libraries', 'make_dataset.py', [parquet]);
  const largeFrom = 50_000;
  hub.add({ id: 'acme/tiny', files: model.files, largeFrom });
  hub.add({ id: 'acme/big', files: { 'README.md': '# big\n', 'big.bin': big }, largeFrom });
  hub.add({ id: 'acme/heavy', files: { 'README.md': '# heavy\n', 'weights.bin': heavy }, largeFrom });
  hub.add({
    id: 'acme/ds',
    type: 'datasets',
    files: { 'README.md': '# rows\n', 'data/train-00000-of-00001.parquet': await readFile(parquet) },
    largeFrom,
  });
  await Promise.all(
    ['run_transformers.py', 'run_sentences.py'].map(async (script) => {
      fromFolder[script] = answerOf(await python('hf-libraries', script, [model.folder], { HF_HUB_OFFLINE: '1' }));
    }),
  );
}, INSTALL);

afterAll(async () => {
  await hub?.close();
  await folder?.remove();
});

describe('through a mirror of the hub', () => {
  test.each(Object.keys(WORKS))('%s, and again from what is held', async (name) => {
    const work = WORKS[name]!;
    const store = join(folder.path, `store-${Object.keys(WORKS).indexOf(name)}`);
    const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url, ...work.settings };
    const mirror = await spawnLarder({ store, env });
    await judge(work, mirror, runCommand);
    const before = hub.calls().length;
    await judge(work, mirror, runCommand);
    const files = hub.calls().slice(before);
    expect(files.filter(({ host, path }) => host === 'cdn' || path.includes('/resolve'))).toEqual([]);
    await mirror.stop();
  });

  test.each([
    ['by default no answer shows a sign of Xet', {}, []],
    [
      'where Xet is offered the same answers show it',
      OFFER_XET,
      ['HEAD', 'GET', 'tree', 'tree of a page', 'paths-info'],
    ],
  ] as const)('%s', async (_name, settings, expected) => {
    const store = join(folder.path, `store-signs-${expected.length}`);
    const mirror = await spawnLarder({ store, env: { LARDER_HUGGINGFACE_ORIGIN: hub.url, ...settings } });
    expect(await signsOfXet(mirror.urls.huggingface!)).toEqual(expected);
    await mirror.stop();
  });
});

describe('behind the gap', () => {
  let gap: AirGap;
  let resolver: string;
  const sites: SpawnedLarder[] = [];

  beforeAll(async () => {
    const manifest = join(folder.path, 'bundle.yaml');
    const items = ['{ hf: "acme/tiny" }', '{ hf: "acme/big" }', '{ hf: "acme/heavy" }', '{ "hf-dataset": "acme/ds" }'];
    await writeFile(
      manifest,
      `format: larder-manifest/1\nname: libraries\nitems:\n${items.map((item) => `  - ${item}\n`).join('')}`,
    );
    const bundle = join(folder.path, 'bundle');
    const site = join(folder.path, 'site');
    const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url };
    const connected = join(folder.path, 'connected');
    expect(await larder(['bundle', 'create', manifest, bundle, '--store', connected], { env })).toMatchObject({
      code: 0,
    });
    expect(await larder(['bundle', 'import', bundle, '--store', site])).toMatchObject({ code: 0 });
    resolver = join(folder.path, 'resolv.conf');
    await writeFile(resolver, 'nameserver 127.0.0.1\n');
    gap = await makeAirGap();
    for (const settings of [{}, OFFER_XET])
      sites.push(await spawnLarder({ store: site, env: { AIRGAPPED_MODE: 'true', ...settings }, wrap: gap.inside }));
  });

  afterAll(async () => {
    for (const site of sites) await site.stop();
    await gap?.close();
  });

  test.each(Object.keys(WORKS))('%s', async (name) => {
    const work = WORKS[name]!;
    const site = sites[work.settings ? 1 : 0]!;
    await judge(work, site, (command, args, options) => {
      const plain: [string, readonly string[]] = [command, args];
      const [first, rest] = work.resolvesNames ? withoutNames(resolver, ...plain) : plain;
      return runCommand(...gap.inside(first, rest), options);
    });
  });

  test('nothing tried to leave the gap', async () => {
    expect(await gap.escaped()).toBe(0);
  });
});

/** Which answers about a large file betray that there is Xet. */
async function signsOfXet(url: string): Promise<string[]> {
  const { sha } = hub.repo('acme/heavy');
  const api = `${url}/api/models/acme/heavy`;
  const paths = new URLSearchParams({ paths: 'weights.bin', expand: 'true' });
  const asked: [string, string, RequestInit?][] = [
    ['HEAD', `${url}/acme/heavy/resolve/main/weights.bin`, { method: 'HEAD' }],
    ['GET', `${url}/acme/heavy/resolve/${sha}/weights.bin`],
    ['info', api],
    ['info of blobs', `${api}?blobs=true`],
    ['info of a revision', `${api}/revision/${sha}?expand=xetEnabled&expand=siblings`],
    ['tree', `${api}/tree/${sha}?recursive=true`],
    ['tree of a page', `${api}/tree/${sha}?expand=true`],
    ['paths-info', `${api}/paths-info/${sha}`, { method: 'POST', body: paths }],
  ];
  const signs: string[] = [];
  for (const [what, address, options] of asked) {
    const answer = await fetch(address, options);
    expect(answer.status).toBe(200);
    // which names a browser's scripts may read is said with every answer
    const fields = [...answer.headers].filter(([name]) => name !== 'access-control-expose-headers');
    const body = answer.headers.get('content-type')?.includes('json') ? await answer.text() : '';
    await answer.body?.cancel().catch(() => undefined);
    if (/x-xet-|xet-auth|xetHash|xetEnabled/i.test(JSON.stringify(fields) + body)) signs.push(what);
  }
  return signs;
}

/** Lets a library work in a new home, and looks at what came out and at what it asked for. */
async function judge(work: Work, mirror: SpawnedLarder, run: typeof runCommand): Promise<void> {
  const home = await clientHome();
  const before = mirror.log().length;
  const ran = await run(
    join(await client(work.client), 'python'),
    [join(SCRIPTS, work.script), ...work.args(home.path)],
    { cwd: home.path, env: { ...home.env, HF_ENDPOINT: mirror.urls.huggingface, ...work.env } },
  );
  expect({ ...ran, log: ran.code === 0 ? '' : mirror.log().slice(before) }).toMatchObject({ code: 0, log: '' });
  expect(answerOf(ran)).toEqual(work.expected());
  const lines = () => linesOf(mirror.log().slice(before));
  expect(lines().filter(({ status }) => status >= 500)).toEqual([]);
  // a request is written down when its connection is done with it
  if (work.asked) await vi.waitFor(() => work.asked!(lines()), { timeout: 5000 });
  await home.remove();
}

/** A site whose name server says no at once: the questions of this command do not leave, those of Larder would. */
function withoutNames(resolver: string, command: string, args: readonly string[]): [string, string[]] {
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  return ['unshare', ['--mount', 'sh', '-c', script, resolver, command, ...args]];
}

async function python(name: string, script: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const home = await clientHome();
  const ran = await runCommand(join(await client(name), 'python'), [join(SCRIPTS, script), ...args], {
    env: { ...home.env, ...env },
  });
  expect(ran).toMatchObject({ code: 0 });
  await home.remove();
  return ran;
}

async function makeModel(): Promise<typeof model> {
  const path = join(folder.path, 'model');
  await python('hf-libraries', 'make_model.py', [path]);
  const files: Record<string, Buffer> = {};
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[relative(path, file)] = await readFile(file);
  }
  return { folder: path, files };
}

/** The last line is the script's own; libraries may print before it. */
function answerOf({ stdout }: Ran): unknown {
  const line = stdout.trim().split('\n').at(-1)!;
  return line.startsWith('{') ? JSON.parse(line) : line;
}

function linesOf(log: string): Line[] {
  return log
    .split('\n')
    .filter((line) => line.includes('"event":"request"'))
    .map((line) => JSON.parse(line) as Line);
}

function partsOf(lines: Line[], path: string): number {
  return lines.filter((line) => line.path.endsWith(path) && line.status === 206).length;
}

function xetIn(lines: Line[]): Line[] {
  return lines.filter(({ path }) => /\/(xet|xet-read-token)\//.test(path));
}

function digestsOf(files: Record<string, Buffer>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, hexOf(digestOf(bytes))]));
}

/** Bytes that are always the same, and that nothing can compress. */
function noise(length: number, seed: string): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(length));
}

import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { sha256 } from '../support/hub-sites.ts';
import { answerOf } from '../support/library-content.ts';
import { type NgcPlace, type NgcSites, startNgcSites } from '../support/ngc-sites.ts';
import { FILES, ITEMS, METADATA, TOOL_ITEMS, TOOL_WISHES, WISHES } from '../support/ngc-works.ts';
import { runCommand } from '../support/python-clients.ts';
import { filesIn } from '../support/s3-site.ts';

/** These have NGC's name built in, or in the commands that people copy. */
const NGC = 'https://api.ngc.nvidia.com/v2';
const OCRNET = `${NGC}/models/nvidia/tao/ocrnet/versions/trainable_v1.0`;
const BY_PATH = `${NGC}/models/org/nvidia/team/tao/ocrnet/trainable_v1.0/files?redirect=true&path=`;
const SITE_KEY = { key: 'nvapi-of-the-site', orgs: ['acme'], teams: { acme: ['lab'] } };
const WEIGHTS = FILES['weights/model.pth']!;
/** What an earlier download left behind: not a multiple of anything. */
const PART = 5_000_001;

const ALL = [...WISHES, ...TOOL_WISHES];
let sites: NgcSites;
let mirror: NgcPlace;

/** Cold comes first: it is what warms the mirror. */
const PLACES: Record<string, () => NgcPlace> = {
  'through a mirror that holds nothing yet': () => mirror,
  'through the same mirror, warm': () => mirror,
  'behind the gap': () => sites.behindTheGap,
};

beforeAll(async () => {
  const settings = { LARDER_NGC_API_KEY: SITE_KEY.key, LARDER_NGC_ORG: 'acme' };
  const origin = { accounts: [SITE_KEY], pageSize: 50, cdnName: 'localhost' };
  sites = await startNgcSites({ wishes: ALL, items: [...ITEMS, ...TOOL_ITEMS], origin, settings });
});
afterAll(() => sites?.close());

/** Starts over with a mirror that holds nothing. */
async function cold(): Promise<void> {
  mirror = await sites.cold({ LARDER_NGC_API_KEY: SITE_KEY.key, LARDER_NGC_ORG: 'acme' });
}

const digests = (files: Record<string, Buffer | string>, folder = '') =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [folder + path, sha256(bytes)]));
const filesOf = (id: string, version: string) => ALL.find((wish) => wish.id === id && wish.version === version)!.files;
const fetched = () => sites.ngc.calls('/files/', 'cdn').filter(({ headers }) => !headers.range).length;

describe.each(['wget', 'curl'])('%s', (program) => {
  let before: number;

  beforeAll(async () => {
    await cold();
    before = fetched();
  });
  afterAll(() => mirror.larder.stop());

  /** How it is told to name a file as the server says, to go on with one, and to name it itself. */
  const OPTIONS = {
    wget: { named: ['--content-disposition'], resumed: ['-c', '-S'], as: (name: string) => ['-O', name] },
    curl: {
      named: ['-fsSLOJ'],
      resumed: ['-fvLO', '-C', '-'],
      as: (name: string) => ['-fsSLo', name],
    },
  }[program]!;
  const header = (text: string) => (program === 'wget' ? [`--header=${text}`] : ['-H', text]);

  describe.each(Object.entries(PLACES))('%s', (_, place) => {
    /** Runs it in a folder with these files; gives what it said and what is there then. */
    async function run(args: readonly string[], there: Record<string, Buffer> = {}) {
      const ran = await place().run(program, args, {
        prepare: async (folder) => {
          for (const [name, bytes] of Object.entries(there)) await writeFile(join(folder, name), bytes);
        },
        look: filesIn,
      });
      expect(`${ran.code} ${ran.code === 0 ? '' : ran.stderr}`).toBe('0 ');
      return ran;
    }

    test.each([
      ['of its version', `${OCRNET}/files/weights/model.pth`],
      ['of the catalog’s own command', `${BY_PATH}weights/model.pth`],
      ['of its version, doubled slashes in it', OCRNET.replace('/tao/', '//tao//').concat('/files//weights/model.pth')],
    ])('names a file as it is called, by the address %s', async (_form, url) => {
      expect((await run([...OPTIONS.named, url])).found).toEqual({ 'model.pth': sha256(WEIGHTS) });
    });

    test('goes on where an earlier download ended', async () => {
      const url = `${OCRNET}/files/weights/model.pth`;
      const { stdout, stderr, found } = await run([...OPTIONS.resumed, url], {
        'model.pth': WEIGHTS.subarray(0, PART),
      });
      expect(found).toEqual({ 'model.pth': sha256(WEIGHTS) });
      expect(stdout + stderr).toMatch(new RegExp(`content-range: bytes ${PART}-`, 'i'));
    });

    test('downloads an empty file, and files of odd names', async () => {
      expect((await run([...OPTIONS.as('it'), `${OCRNET}/files/empty`])).found).toEqual({ it: sha256('') });
      expect((await run([...OPTIONS.as('it'), `${OCRNET}/files/a+b%20c.txt`])).found).toEqual({
        it: sha256(FILES['a+b c.txt']!),
      });
      const odd = `${NGC}/models/nvidia/tao/odd/versions/1/files/odd%20%C3%BC%2541%20%231.txt`;
      expect((await run([...OPTIONS.as('it'), odd])).found).toEqual({ it: sha256('odd') });
    });

    test.each([
      ['a model', `${OCRNET}/zip`, FILES],
      ['a resource', `${NGC}/resources/nvidia/tao/notebooks/versions/5.5/zip`, filesOf('nvidia/tao/notebooks', '5.5')],
    ])('downloads %s as an archive, under the name that it has at NGC', async (_what, url, files) => {
      const ran = await place().run(program, [...OPTIONS.named, url], {
        look: async (folder) => {
          const [name] = Object.keys(await filesIn(folder));
          const unzip = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])';
          await runCommand('python3', ['-c', unzip, join(folder, name!), join(folder, 'out')]);
          return { name, files: await filesIn(join(folder, 'out')) };
        },
      });
      expect(ran.stderr + ran.code).toMatch(/0$/);
      expect(ran.found.name).toMatch(/^(files\.zip|(ocrnet|notebooks).*\.zip)$/);
      expect(ran.found.files).toEqual(digests(files));
    });

    test('asks for the list of files as NIM’s documents do, with a key', async () => {
      const url = `${NGC}/org/nvidia/team/tao/models/ocrnet/trainable_v1.0/files`;
      const { found } = await place().run(
        program,
        [...header('Authorization: Bearer nvapi-mine'), ...OPTIONS.as('it'), url],
        {
          look: async (folder) => JSON.parse(await readFile(join(folder, 'it'), 'utf8')) as Record<string, unknown>,
        },
      );
      expect(found).toMatchObject({ paginationInfo: { totalPages: 1 }, filepath: Object.keys(FILES) });
      for (const each of found.urls as string[]) expect(each).toMatch(/^https:\/\/api\.ngc\.nvidia\.com\//);
    });

    test('installs the CLI as its installer does', async () => {
      const cli = `${NGC}/resources/nvidia/ngc-apps/ngc_cli/versions`;
      const { found } = await place().run(program, [...OPTIONS.as('it'), cli], {
        look: async (folder) => JSON.parse(await readFile(join(folder, 'it'), 'utf8')) as Record<string, unknown>,
      });
      expect(found).toMatchObject({
        recipe: { latestVersionIdStr: '4.37.0' },
        recipeVersions: [{ versionId: '4.37.0' }],
      });
      expect((await run([...OPTIONS.named, `${cli}/4.37.0/files/ngccli_linux.zip`])).found).toEqual({
        'ngccli_linux.zip': sha256('the CLI'),
      });
    });
  });

  test('all of it cost NGC one download of each file', () => {
    const files = [FILES, filesOf('nvidia/tao/notebooks', '5.5'), ['odd', 'cli']];
    expect(fetched() - before).toBe(files.reduce((sum, each) => sum + Object.keys(each).length, 0));
  });
});

describe('MONAI', () => {
  const WORKS = {
    newest: { name: 'spleen', source: 'ngc', bundle_dir: 'newest' },
    given: { name: 'monai_spleen', version: '0.4.8', source: 'ngc', bundle_dir: 'given' },
    private: { name: 'liver', source: 'ngc_private', repo: 'org/acme/team/lab', bundle_dir: 'private' },
    hosted: {
      name: 'mednist_gan',
      url: `${NGC}/models/nvidia/monaihosting/mednist_gan/versions/0.2.0/files/mednist_gan_v0.2.0.zip`,
      bundle_dir: 'hosted',
    },
  };
  const BUNDLE = filesOf('nvidia/monaitoolkit/monai_spleen', '0.4.8');
  const SCRIPT = join(import.meta.dirname, '../fixtures/python/ngc/monai_download.py');

  beforeAll(cold);
  afterAll(() => mirror.larder.stop());

  test.each(Object.entries(PLACES))(
    'downloads bundles, by their newest version and by a given one, %s',
    async (_, place) => {
      const packages = resolve(await client('monai'), '../lib/python3.11/site-packages');
      const ran = await place().run(join(await client('hf-libraries'), 'python'), [SCRIPT, JSON.stringify(WORKS)], {
        env: { PYTHONPATH: packages, NGC_API_KEY: 'nvapi-of-somebody-here' },
        look: filesIn,
      });
      expect(`${ran.code} ${ran.code === 0 ? '' : ran.stderr}`).toBe('0 ');
      expect(answerOf(ran)).toEqual(Object.fromEntries(Object.keys(WORKS).map((name) => [name, 'done'])));
      const { found } = ran;
      expect(found).toMatchObject({
        ...digests(BUNDLE, 'newest/spleen/'),
        ...digests(BUNDLE, 'given/spleen/'),
        ...digests(BUNDLE, 'private/liver/'),
        'hosted/mednist_gan/configs/metadata.json': sha256(METADATA),
      });
    },
  );
});

test('nothing tried to leave the gap', async () => {
  expect(await sites.escaped()).toBe(0);
});

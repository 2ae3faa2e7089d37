import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cargoProgram, hasCargo } from '../support/cargo-clients.ts';
import { type HubPlace, type HubSites, sha256, startHubSites, tinyModel } from '../support/hub-sites.ts';
import { clientHome } from '../support/python-clients.ts';

const MODEL = tinyModel();
/** In folders, over 10 MB (in parts, where a client takes parts), empty. */
const FILES = ['sub/dir/f.txt', 'big.bin', 'empty.txt'];
const BIG = MODEL.files['big.bin']!;

if (!hasCargo) console.warn('skipped: cargo is not on the PATH, so the Rust clients cannot be built');

let sites: HubSites;
let mirror: HubPlace;

/** Cold comes first: it is what warms the mirror. */
const PLACES: Record<string, () => HubPlace> = {
  'through a mirror that holds nothing yet': () => mirror,
  'through the same mirror, warm': () => mirror,
  'behind the gap': () => sites.behindTheGap,
};

/** Files over 1 MB are offered by Xet, which this client takes wherever it is offered. */
const OFFER_XET = { LARDER_HUGGINGFACE_XET_FROM_BYTES: '1000000' };

interface Told {
  /** Lines by their first word, without it. */
  lines(word: string): string[];
  /** File → digest of what the client put into its cache. */
  digests: Record<string, string>;
  /** Of all files of the folder that the client calls a snapshot. */
  snapshot: Record<string, string>;
}

/** Runs a program with an empty cache and reads what it downloaded. */
async function runProgram(place: HubPlace, program: string, args: readonly string[]): Promise<Told> {
  const home = await clientHome();
  const env = { ...home.env, HF_HOME: join(home.path, 'hf'), HF_ENDPOINT: place.url };
  const ran = await place.run(program, args, { env });
  expect(ran).toMatchObject({ code: 0 });
  const rows = ran.stdout.trimEnd().split('\n');
  const lines = (word: string) =>
    rows.filter((row) => row.startsWith(`${word} `)).map((row) => row.slice(word.length + 1));
  const digests: Record<string, string> = {};
  for (const line of lines('file')) {
    const [file, path] = line.split(' ') as [string, string];
    digests[file] = sha256(await readFile(path));
  }
  const snapshot: Record<string, string> = {};
  for (const folder of lines('snapshot'))
    for (const file of Object.keys(MODEL.files)) snapshot[file] = sha256(await readFile(join(folder, file)));
  await home.remove();
  return { lines, digests, snapshot };
}

const expectedDigests = (files: readonly string[]) =>
  Object.fromEntries(files.map((file) => [file, sha256(MODEL.files[file]!)]));

describe.skipIf(!hasCargo)('clients in Rust (skipped where there is no cargo)', () => {
  beforeAll(async () => {
    sites = await startHubSites([MODEL], ['{ hf: "acme/tiny" }']);
  });
  afterAll(() => sites?.close());

  describe.each(['sync', 'tokio'])('hf-hub 0.4, %s', (api) => {
    let program: string;

    beforeAll(async () => {
      program = await cargoProgram('hf-hub-0.4', 'hf-hub-0-4');
      mirror = await sites.cold();
    }, 1_800_000);

    test.each(Object.entries(PLACES))('reads what a repo is and downloads its files, %s', async (_, place) => {
      const { lines, digests } = await runProgram(place(), program, [api, 'acme/tiny', ...FILES]);
      expect(lines('sha')).toEqual([sites.hub.repo('acme/tiny').sha]);
      expect(lines('sibling').sort()).toEqual(Object.keys(MODEL.files).sort());
      expect(digests).toEqual(expectedDigests(FILES));
      expect(lines('absent')[0]).toMatch(/404/);
    });
  });

  describe('hf-hub 1', () => {
    let program: string;

    beforeAll(async () => {
      program = await cargoProgram('hf-hub-1', 'hf-hub-1');
      mirror = await sites.cold();
    }, 1_800_000);

    test.each(Object.entries(PLACES))('reads a repo, downloads it and tells errors apart, %s', async (_, place) => {
      const { lines, digests, snapshot } = await runProgram(place(), program, [place().url, 'acme', 'tiny', ...FILES]);
      const { sha } = sites.hub.repo('acme/tiny');
      const paths = Object.keys(MODEL.files).sort();
      expect(lines('sha')).toEqual([sha]);
      expect(lines('sibling').sort()).toEqual(paths);
      expect(digests).toEqual(expectedDigests(FILES));
      expect(snapshot).toEqual(expectedDigests(paths));
      expect(lines('again')).toEqual([expect.stringContaining(sha)]);
      expect(lines('middle')).toEqual([BIG.subarray(5_000_000, 5_000_016).toString('hex')]);
      expect(
        lines('tree')
          .map((line) => line.split(' ')[0])
          .sort(),
      ).toEqual(paths);
      expect(lines('tree')).toContain(`big.bin ${BIG.length} large`);
      expect(lines('paths')).toEqual(['1']);
      expect(lines('branch')).toEqual([`main ${sha}`]);
      expect(lines('commit')).toEqual([sha]);
      expect(lines('exists')).toEqual([...FILES.map((file) => `${file} true`), 'absent.txt false']);
      expect([...lines('revision'), ...lines('repo')]).toEqual(['absent false', 'absent false']);
      expect(lines('error')).toEqual([
        'entry EntryNotFound',
        'revision RevisionNotFound',
        'repo RepoNotFound',
        'whoami AuthRequired',
      ]);
    });
  });

  test('hf-hub 1 downloads by Xet where Larder offers it', async () => {
    const place = await sites.cold(OFFER_XET);
    const program = await cargoProgram('hf-hub-1', 'hf-hub-1');
    const { digests, snapshot } = await runProgram(place, program, [place.url, 'acme', 'tiny', ...FILES]);
    expect(digests).toEqual(expectedDigests(FILES));
    expect(snapshot).toEqual(expectedDigests(Object.keys(MODEL.files)));
    expect(place.log()).toContain('/reconstructions/');
  });

  test('nothing tried to leave the gap', async () => {
    expect(await sites.escaped()).toBe(0);
  });
});

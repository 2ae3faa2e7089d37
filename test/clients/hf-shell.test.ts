import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HubPlace, type HubSites, sha256, startHubSites, tinyModel } from '../support/hub-sites.ts';
import { clientHome } from '../support/python-clients.ts';

const MODEL = tinyModel();
const BIG = MODEL.files['big.bin']!;
/** What an earlier download left behind: not a multiple of anything. */
const PART = 5_000_001;

/** How each program goes on with a file that is there in part, and says which parts it was given. */
const PROGRAMS: Record<string, string[]> = {
  wget: ['-c', '-S', '--tries=1'],
  curl: ['-v', '-C', '-', '-O'],
  aria2c: ['-x4', '-s4', '-k1M', '-c', '--file-allocation=none', '--max-tries=1', '--log=-', '--log-level=info'],
};

/** Where the parts begin that it was given. */
const partsIn = (said: string) => [...said.matchAll(/content-range: bytes (\d+)-/gi)].map(([, start]) => Number(start));

const isThere = (program: string) => spawnSync(program, ['--version']).status === 0;

/** Whole files that the hub's file host has given so far. */
const fetched = () => sites.hub.calls('/lfs/').filter(({ headers }) => headers.range === undefined).length;

let sites: HubSites;
let mirror: HubPlace;

/** Cold comes first: it is what warms the mirror. */
const PLACES: Record<string, () => HubPlace> = {
  'through a mirror that holds nothing yet': () => mirror,
  'through the same mirror, warm': () => mirror,
  'behind the gap': () => sites.behindTheGap,
};

beforeAll(async () => {
  sites = await startHubSites([MODEL], ['{ hf: "acme/tiny" }']);
});

afterAll(() => sites?.close());

describe.each(Object.entries(PROGRAMS))('%s', (program, args) => {
  const skipped = !isThere(program);
  if (skipped) console.warn(`skipped: ${program} is not on the PATH`);
  let before: number;

  beforeAll(async () => {
    mirror = await sites.cold();
    before = fetched();
  });

  /** Runs it in a folder where these files are; gives what it said and what the file then is. */
  async function download(place: HubPlace, path: string, there?: Buffer) {
    const home = await clientHome();
    const file = join(home.path, path);
    if (there) await writeFile(file, there);
    const url = `${place.url}/acme/tiny/resolve/main/${path}`;
    const ran = await place.run(program, [...args, url], { ...home, cwd: home.path });
    const digest = sha256(await readFile(file));
    await home.remove();
    return { said: ran.stdout + ran.stderr, code: ran.code, digest };
  }

  describe.each(Object.entries(PLACES))('%s', (_, place) => {
    test.skipIf(skipped)('goes on where an earlier download ended', async () => {
      const { said, code, digest } = await download(place(), 'big.bin', BIG.subarray(0, PART));
      expect({ code, digest }).toEqual({ code: 0, digest: sha256(BIG) });
      // aria2c keeps whole blocks of 16 KiB
      const first = Math.min(...partsIn(said));
      expect(first).toBeLessThanOrEqual(PART);
      expect(first).toBeGreaterThan(PART - 16_384);
    });

    test.skipIf(skipped)('downloads a large and an empty file from the start', async () => {
      expect(await download(place(), 'big.bin')).toMatchObject({ code: 0, digest: sha256(BIG) });
      expect(await download(place(), 'empty.txt')).toMatchObject({ code: 0, digest: sha256('') });
    });

    test.skipIf(skipped)('leaves alone what it has already', async () => {
      expect(await download(place(), 'big.bin', BIG)).toMatchObject({ code: 0, digest: sha256(BIG) });
    });
  });

  test.skipIf(skipped)('all of it cost the hub one download', () => {
    expect(fetched() - before).toBe(1);
  });
});

test.skipIf(!isThere('aria2c'))('aria2c takes parts at once from a file that is on its way here', async () => {
  const place = await sites.cold();
  // bytes a second: slow enough for all of its connections to be open before the first is through
  sites.hub.pace = 8 << 20;
  const home = await clientHome();
  const before = fetched();
  const url = `${place.url}/acme/tiny/resolve/main/big.bin`;
  const ran = await place.run('aria2c', [...PROGRAMS.aria2c!, url], { ...home, cwd: home.path });
  sites.hub.pace = undefined;
  expect(ran.code).toBe(0);
  expect(sha256(await readFile(join(home.path, 'big.bin')))).toBe(sha256(BIG));
  expect(new Set(partsIn(ran.stdout)).size).toBeGreaterThanOrEqual(3);
  expect(fetched() - before).toBe(1);
  await home.remove();
});

test('nothing tried to leave the gap', async () => {
  expect(await sites.escaped()).toBe(0);
});

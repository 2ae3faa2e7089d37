import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packages } from '../../../services/npm/shelf.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { keep, temporaryFolder } from '../../support/bundles.ts';

let folder: { path: string; remove(): Promise<void> };
let store: Store;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openStore(folder.path, { now: Date.now });
});

afterEach(async () => {
  await store.close();
  await folder.remove();
});

const place = () => ({ catalog: store.catalog('npm'), blobs: store.blobs });
const hold = (key: string, body = key) => keep(store, 'npm', `tarball/${key}`, Buffer.from(body));

const ALL = [
  '@types/node/-/node-24.1.0.tgz',
  'lodash-es/-/lodash-es-1.0.0.tgz',
  'lodash.get/-/lodash.get-1.0.0.tgz',
  'lodash/-/lodash-1.0.0-rc.1.tgz',
  'lodash/-/lodash-1.0.0.tgz',
  'lodash/-/lodash-1.0.10.tgz',
  'lodash/-/lodash-1.0.2.tgz',
];

async function keysOf(prefix = '', page: { after?: string; limit?: number } = {}): Promise<string[]> {
  return (await packages.list(place(), prefix, page)).map(({ key }) => key);
}

describe('the bucket of packages', () => {
  beforeEach(async () => {
    for (const version of ['1.0.0', '1.0.0-rc.1', '1.0.2', '1.0.10']) await hold(`npm/lodash/${version}`);
    await hold('npm/lodash-es/1.0.0');
    await hold('npm/lodash.get/1.0.0');
    await hold('scope-types/@types/node/24.1.0');
  });

  test('lists every tarball that is held, in the order of bytes', async () => {
    expect(await keysOf()).toEqual(ALL);
    expect([...ALL].sort()).toEqual(ALL);
  });

  test('lists the same by pages of any size, from any place', async () => {
    for (let limit = 1; limit <= ALL.length; limit += 1) {
      const paged: string[] = [];
      for (let after: string | undefined; ; after = paged.at(-1)) {
        const page = await keysOf('', { after, limit });
        paged.push(...page);
        if (page.length < limit) break;
      }
      expect(paged).toEqual(ALL);
    }
    for (const after of ['', '0', 'lodash', 'lodash/', 'lodash/-', 'lodash/-/lodash-1.0.0', 'lodash/.', 'lodash0', 'z'])
      expect(await keysOf('', { after })).toEqual(ALL.filter((key) => key > after));
  });

  test('lists what has a prefix, wherever it ends', async () => {
    const prefixes = [
      'lod',
      'lodash',
      'lodash/',
      'lodash/-',
      'lodash/-/',
      'lodash/-/lodash-1.0.0',
      '@types/',
      'lodash/x',
      'zz',
    ];
    for (const prefix of prefixes) {
      expect(await keysOf(prefix)).toEqual(ALL.filter((key) => key.startsWith(prefix)));
      expect(await keysOf(prefix, { after: 'a' })).toEqual(ALL.filter((key) => key.startsWith(prefix) && key > 'a'));
    }
  });

  test('gives one by its key, and nothing for what is none', async () => {
    for (const key of ALL) expect((await packages.get(place(), key))?.key).toBe(key);
    for (const key of [
      'lodash',
      'lodash/1.0.0',
      'lodash/-/other-1.0.0.tgz',
      'lodash/-/lodash-9.9.9.tgz',
      '/-/',
      'node/-/node-24.1.0.tgz',
    ])
      expect(await packages.get(place(), key)).toBeUndefined();
  });

  test('shows what was published here in place of what an origin has by that name', async () => {
    await hold('private/lodash/1.0.2', 'ours');
    expect(await keysOf()).toEqual(ALL);
    const entry = await packages.get(place(), 'lodash/-/lodash-1.0.2.tgz');
    expect((await store.blobs.read(entry!.digest, 100)).toString()).toBe('ours');
    const [, listed] = await packages.list(place(), 'lodash/-/lodash-1.0.10', { limit: 2 });
    expect(listed).toBeUndefined();
    expect((await packages.list(place(), 'lodash/-/lodash-1.0.2', {}))[0]!.digest).toBe(entry!.digest);
  });
});

import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadServices } from '../../../services/load.ts';
import { loadConfig } from '../../../shared/config/load.ts';
import { suiteSchema } from '../../../shared/config/schema.ts';
import { settingsOf } from '../../../shared/config/variables.ts';
import { temporaryFolder } from '../../support/bundles.ts';

const FILE = resolve(import.meta.dirname, '../../../config/larder.yaml');
const sections = await loadServices();
let folder: { path: string; remove(): Promise<void> };

beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

async function load(text: string, env: Record<string, string> = {}) {
  const file = join(folder.path, 'larder.yaml');
  await writeFile(file, text);
  return loadConfig({ file, env, sections });
}

describe('the settings file that comes along', () => {
  test('says exactly the defaults', () => {
    const { file: _file, ...explained } = loadConfig({ file: FILE, env: {}, sections });
    const { file: _none, ...defaults } = loadConfig({ env: {}, sections });
    expect(explained).toEqual(defaults);
  });

  test('names every setting there is', async () => {
    const text = await readFile(FILE, 'utf8');
    const keys = [...settingsOf(suiteSchema), ...sections.flatMap((section) => settingsOf(section.configSchema))].map(
      ({ path }) => path.at(-1)!,
    );
    expect(keys.filter((key) => !new RegExp(`\\b${key}:`).test(text))).toEqual([]);
  });
});

describe('variables', () => {
  test('override the file, each in the form of its setting', async () => {
    const env = {
      LARDER_PYPI_PORT: '0',
      LARDER_MODE: 'airgapped',
      LARDER_UPSTREAM_RETRIES: '5',
      LARDER_ACCESS_ANONYMOUS_READ: 'false',
      LARDER_PYPI_DENY: 'a, b*',
    };
    const config = await load('pypi: { port: 9000, deny: [x] }\n', env);
    expect(config.suite).toMatchObject({
      mode: 'airgapped',
      upstream: { retries: 5 },
      access: { anonymousRead: false },
    });
    expect(config.services.get('pypi')).toMatchObject({ listener: { port: 0 }, settings: { deny: ['a', 'b*'] } });
  });

  test('AIRGAPPED_MODE=true, as TAO writes it, is the mode', async () => {
    expect((await load('', { AIRGAPPED_MODE: 'True' })).suite.mode).toBe('airgapped');
    expect((await load('', { AIRGAPPED_MODE: 'false' })).suite.mode).toBe('connected');
  });

  test('lists of objects are given as JSON', async () => {
    const config = await load('', { LARDER_PYPI_ORIGINS: '[{"name":"one","url":"http://127.0.0.1:1/simple/"}]' });
    expect(config.services.get('pypi')!.settings).toMatchObject({ origins: [{ name: 'one', kind: 'simple' }] });
  });

  test('proxies are those of the environment unless they are set', async () => {
    const env = { HTTPS_PROXY: 'http://proxy:1' };
    expect((await load('', env)).suite.upstream.httpsProxy).toBe('http://proxy:1');
    expect((await load('upstream: { httpsProxy: "http://own:2" }', env)).suite.upstream.httpsProxy).toBe(
      'http://own:2',
    );
  });
});

describe('a wrong setting', () => {
  const wrong: [string, string, Record<string, string>, RegExp][] = [
    ['of the wrong kind', 'mode: offline\n', {}, /mode, .*larder\.yaml line 1: .*connected.*airgapped/],
    [
      'with a key that is none',
      'pypi:\n  prot: 1\n',
      {},
      /pypi, .*line 2: there is no "prot" \(did you mean "port"\?\)/,
    ],
    ['at the top', 'stroe: x\n', {}, /line 1: there is no "stroe" \(did you mean "store"\?\)/],
    ['from a variable', '', { LARDER_PYPI_PORT: 'http' }, /pypi\.port, LARDER_PYPI_PORT: .*number/],
    [
      'with a variable that is none',
      '',
      { LARDER_PIPY_PORT: '1' },
      /LARDER_PIPY_PORT: there is no such setting; did you mean LARDER_PYPI_PORT\?/,
    ],
    ['that is a mode of its own', '', { AIRGAPPED_MODE: 'maybe' }, /AIRGAPPED_MODE: true or false/],
    [
      'two origins of one name',
      'pypi: { origins: [{ name: a, url: "http://x/" }, { name: a, url: "http://y/" }] }',
      {},
      /two origins have one name/,
    ],
    ['a cooldown that is none', 'pypi: { excludeNewer: soon }', {}, /excludeNewer.*7d/],
    ['YAML that is none', 'a: [', {}, /line 1/],
    ['a port beyond all ports', 'admin: { port: 99999 }', {}, /admin\.port/],
  ];

  test.each(wrong)('%s is told with its key and what would be right', async (_name, text, env, words) => {
    await expect(load(text, env)).rejects.toThrow(words);
  });

  test('is told together with all others', async () => {
    await expect(load('mode: x\nlisten: 5\n', { LARDER_NOPE: '1' })).rejects.toThrow(
      /LARDER_NOPE[\s\S]*mode[\s\S]*listen/,
    );
  });

  test('that nobody can read is told too', () => {
    expect(() => loadConfig({ file: join(folder.path, 'none.yaml'), env: {}, sections })).toThrow(
      /none\.yaml: the file cannot be read/,
    );
  });
});

import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadServices } from '../../../services/load.ts';
import { loadConfig } from '../../../shared/config/load.ts';
import { listenerSchema, suiteSchema } from '../../../shared/config/schema.ts';
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

  test('names every setting there is, in its place, and none that is not', async () => {
    const listener = sections.flatMap(({ name, defaultPort }) => settingsOf(listenerSchema(defaultPort), [name]));
    const own = sections.flatMap(({ name, configSchema }) => settingsOf(configSchema, [name]));
    const known = [...settingsOf(suiteSchema), ...listener, ...own].map(({ path }) => path.join('.'));
    const names = new Set(known.map((path) => path.split('.').at(-1)!));
    const text = await readFile(FILE, 'utf8');
    // settings without a default stand there as comments
    const all = text.replace(/^( *)# (\w+):/gm, (line, indent, key) => (names.has(key) ? `${indent}${key}:` : line));
    expect(pathsOf(parse(all)).sort()).toEqual(known.sort());
  });
});

function pathsOf(value: unknown, path: string[] = []): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path.join('.')];
  return Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]));
}

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

  test('that are texts are taken as they stand, whatever YAML would make of them', async () => {
    const env = { LARDER_STORE_ACCESS_KEY: '!key', LARDER_STORE_SECRET_KEY: '"ab" #cd', LARDER_STORE: '123' };
    expect((await load('', env)).suite).toMatchObject({
      storeAccessKey: '!key',
      storeSecretKey: '"ab" #cd',
      store: '123',
    });
  });

  test('that are empty say nothing', async () => {
    expect((await load('mode: airgapped\n', { LARDER_MODE: '', AIRGAPPED_MODE: '' })).suite.mode).toBe('airgapped');
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
    expect((await load('', { http_proxy: 'proxy:3128' })).suite.upstream.httpProxy).toBe('http://proxy:3128');
  });
});

describe('a settings file', () => {
  test('may have sections with nothing in them', async () => {
    const config = await load('pypi:\nupstream:\nstore:\n');
    expect(config.suite).toMatchObject({ store: './data', upstream: { retries: 2 } });
    expect(config.services.get('pypi')!.listener).toMatchObject({ enabled: true, port: 8082 });
  });

  test('may be empty', async () => {
    expect((await load('# nothing yet\n')).suite.mode).toBe('connected');
  });

  test('yields to the command line', () => {
    expect(loadConfig({ env: {}, sections, overrides: { store: './other' } }).suite.store).toBe('./other');
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
    ['a list where a section belongs', 'admin: [1]\n', {}, /admin, .*line 1: .*expected object/],
    ['no section, beside a variable for it', 'pypi: 5\n', { LARDER_PYPI_PORT: '1' }, /pypi, .*line 1: .*object/],
    [
      'inside of a variable',
      '',
      { LARDER_PYPI_ORIGINS: '[{"name":"A"}]' },
      /origins\.0\.name, LARDER_PYPI_ORIGINS: a name/,
    ],
    ['an address without its scheme', 'publicUrl: larder.site\n', {}, /publicUrl, .*http:\/\/host:port/],
    ['a text that is a YAML alias', 'pypi:\n  deny: [*-internal]\n', {}, /larder\.yaml: .*-internal.*quotes/],
    ['a key said twice', 'mode: connected\nmode: connected\n', {}, /line 2: Map keys must be unique/],
    ['no keys at all', '- mode\n', {}, /larder\.yaml: it holds no settings/],
    ['a proxy of the environment', '', { HTTPS_PROXY: 'ftp://x' }, /upstream\.httpsProxy, HTTPS_PROXY: an address/],
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

  test('of the command line is told with its option', () => {
    expect(() => loadConfig({ env: {}, sections, overrides: { store: '' } })).toThrow(/store, --store: .*not be empty/);
  });

  test('that is a secret is not repeated', async () => {
    const refusal = await load('', { LARDER_PYPI_ORIGINS: '[{"name":"a","url":"x","token":"hunter2"}]' }).catch(
      (error: Error) => error.message,
    );
    expect(refusal).toMatch(/origins\.0\.url/);
    expect(refusal).not.toContain('hunter2');
  });

  test('that nobody can read is told too', () => {
    expect(() => loadConfig({ file: join(folder.path, 'none.yaml'), env: {}, sections })).toThrow(
      /none\.yaml: the file cannot be read/,
    );
  });
});

import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { configSchema } from '../../../services/pypi/config.ts';
import { Origins } from '../../../services/pypi/origins.ts';
import { defaultIn, pipIndex, settingIn } from '../../../services/pypi/pip-default.ts';
import { temporaryFolder } from '../../support/bundles.ts';

const HELP = (url: string) => `
Package Index Options:
  -i, --index-url <url>       Base URL of the Python Package Index (default
                              ${url}). This should point to a
                              repository compliant with PEP 503 (the simple
                              repository API) or a local directory laid out in
                              the same format.
  --extra-index-url <url>     Extra URLs of package indexes to use in addition
                              to --index-url (default nothing).
  --no-index                  Ignore package index.
`;

let folder: { path: string; remove(): Promise<void> };

beforeEach(async () => {
  folder = await temporaryFolder();
  // no other pip than that of the test
  vi.stubEnv('PATH', folder.path);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await folder.remove();
});

/** A Python whose pip says this. */
async function python(help: string, config = ''): Promise<string> {
  const path = join(folder.path, 'python');
  const script = `#!/bin/sh\ncase "$*" in\n*--help*) /bin/cat <<'END'\n${help}\nEND\n;;\n*"config list"*) /bin/cat <<'END'\n${config}\nEND\n;;\nesac\n`;
  await writeFile(path, script);
  await chmod(path, 0o755);
  return path;
}

describe("pip's help", () => {
  test.each([
    ['folded', HELP('http://index.example/simple')],
    ['on one line', '  -i, --index-url <url>  Base URL (default http://index.example/simple). This\n  --no-index  x\n'],
    [
      'with the address on a line of its own',
      '  --index-url <url>  Base URL (default\n       http://index.example/simple\n  ). This\n  -f x\n',
    ],
  ])('%s tells its default index', (_how, help) => {
    expect(defaultIn(help)).toBe('http://index.example/simple');
  });

  test('without one tells nothing, whatever other options default to', () => {
    expect(defaultIn(HELP('x').replace(/\(default\s+x\)/, ''))).toBeUndefined();
    expect(defaultIn('')).toBeUndefined();
  });
});

test("pip's settings count in pip's order", () => {
  const list = "global.index-url='http://global.example'\ninstall.index-url='http://install.example'\n";
  expect(settingIn(`:env:.index-url='http://env.example'\n${list}`, 'index-url')).toBe('http://env.example');
  expect(settingIn(list, 'index-url')).toBe('http://install.example');
  expect(settingIn("global.index-url='http://global.example'", 'index-url')).toBe('http://global.example');
  expect(settingIn('download.index-url="http://other.example"', 'index-url')).toBeUndefined();
  expect(settingIn("global.extra-index-url='http://other.example'", 'index-url')).toBeUndefined();
  expect(settingIn(":env:.index_url='http://a'\nglobal.cert='/etc/site.pem'", 'cert')).toBe('/etc/site.pem');
});

describe('the default origin', () => {
  test('is what pip tells', async () => {
    expect(await pipIndex(await python(HELP('http://index.example/simple')))).toEqual({
      url: 'http://index.example/simple',
    });
  });

  test('has the password that pip hides in its help, and keeps it apart from the address', async () => {
    const hidden = HELP('http://user:****@index.example/simple');
    const config = "global.index-url='http://user:p%40ss@index.example/simple'\nglobal.timeout='5'";
    const origins = new Origins(configSchema.parse({ python: await python(hidden, config) }));
    const [origin] = await origins.list();
    expect(origin).toMatchObject({
      name: 'pypi',
      url: 'http://index.example/simple/',
      credentials: { username: 'user', password: 'p@ss' },
    });
  });

  test('trusts the authorities that pip trusts', async () => {
    const pem = join(folder.path, 'site.pem');
    await writeFile(pem, '-----BEGIN CERTIFICATE-----');
    const path = await python(HELP('http://index.example/simple'), `global.cert='${pem}'`);
    const [origin] = await new Origins(configSchema.parse({ python: path })).list();
    expect(origin!.ca).toEqual(['-----BEGIN CERTIFICATE-----']);
  });

  test('is asked for once, however many wait for it', async () => {
    const path = await python(HELP('http://index.example/simple'));
    const origins = new Origins(configSchema.parse({ python: path }));
    const [first, second] = await Promise.all([origins.list(), origins.list()]);
    expect(first).toBe(second);
  });

  test('is an error that says what to set where pip is a folder or tells nothing, and is asked for again later', async () => {
    const path = await python(HELP('/srv/packages'));
    const origins = new Origins(configSchema.parse({ python: path }));
    await expect(origins.list()).rejects.toThrow(/set pypi\.origins/);
    await expect(pipIndex('/nonexistent/python')).rejects.toMatchObject({ kind: 'unavailable' });
    await python(HELP('http://index.example/simple/'));
    expect(await origins.list()).toMatchObject([{ url: 'http://index.example/simple/' }]);
  });

  test('is not waited for when the index closes', async () => {
    const path = join(folder.path, 'slow');
    await writeFile(path, '#!/bin/sh\nexec /bin/sleep 30\n');
    await chmod(path, 0o755);
    const origins = new Origins(configSchema.parse({ python: path }));
    const asked = origins.list();
    origins.close();
    await expect(asked).rejects.toMatchObject({ kind: 'unavailable' });
  });
});

describe('origins of the settings', () => {
  const list = (origin: object) => new Origins(configSchema.parse({ origins: [{ name: 'a', ...origin }] })).list();

  test('need no pip, and end in a slash unless they are a page of links', async () => {
    expect((await list({ url: 'http://index.example/simple' }))[0]!.url).toBe('http://index.example/simple/');
    expect((await list({ url: 'http://index.example/links.html', kind: 'find-links' }))[0]!.url).toBe(
      'http://index.example/links.html',
    );
  });

  test('may have their secrets in files, and name the setting when one cannot be read', async () => {
    const path = join(folder.path, 'secret');
    await writeFile(path, 'p\n');
    const url = 'http://index.example/';
    expect((await list({ url, username: 'u', passwordFile: path }))[0]!.credentials).toEqual({
      username: 'u',
      password: 'p',
    });
    expect((await list({ url, tokenFile: path }))[0]!.credentials).toEqual({ token: 'p' });
    await expect(list({ url, tokenFile: join(folder.path, 'none') })).rejects.toThrow(
      /^the file that tokenFile of the origin "a" names cannot be read$/,
    );
    const unasked = new Origins(
      configSchema.parse({ origins: [{ name: 'a', url, tokenFile: join(folder.path, 'none') }] }),
    );
    unasked.withoutAsking();
    expect((await unasked.list())[0]!.credentials).toBeUndefined();
  });

  test.each([
    [{ url: 'http://u:p@index.example/' }, { username: 'u', password: 'p' }],
    [
      { url: 'http://index.example/', username: 'u', password: 'p' },
      { username: 'u', password: 'p' },
    ],
    [{ url: 'http://u:p@index.example/', token: 't' }, { token: 't' }],
    [{ url: 'http://index.example/' }, undefined],
  ])('%j are asked with %j', async (origin, credentials) => {
    const [found] = await list(origin);
    expect(found!.credentials).toEqual(credentials);
    expect(found!.url).toBe('http://index.example/');
  });
});

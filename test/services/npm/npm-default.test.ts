import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configSchema } from '../../../services/npm/config.ts';
import { credentialsIn, npmRegistries } from '../../../services/npm/npm-default.ts';
import { Origins } from '../../../services/npm/origins.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { startRegistry } from './registry.ts';

let folder: { path: string; remove(): Promise<void> };

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(() => folder.remove());

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** The npm of this machine with these settings of its user and no others, started in a folder with settings of its own. */
async function npmWith(user: string, options: { global?: string; variables?: string } = {}): Promise<string> {
  const project = join(folder.path, 'project');
  await mkdir(project);
  await writeFile(join(project, 'package.json'), '{}');
  await writeFile(join(project, '.npmrc'), 'registry=http://project.example/\n@p:registry=http://project.example/\n');
  await writeFile(join(folder.path, 'user'), user);
  await writeFile(join(folder.path, 'global'), options.global ?? '');
  const script = join(folder.path, 'npm');
  const variables = `npm_config_userconfig=${folder.path}/user npm_config_globalconfig=${folder.path}/global ${options.variables ?? ''}`;
  await writeFile(
    script,
    `#!/bin/sh\ncd ${project}\nexec env -i PATH="$PATH" HOME=${folder.path} ${variables} npm "$@"\n`,
  );
  await chmod(script, 0o755);
  return script;
}

describe('what npm is configured with', () => {
  test('is its registry, those of scopes, and what is said to each of them', async () => {
    const npm = await npmWith(`
; a comment
registry = http://main.example/npm/group
@acme:registry=http://acme.example/
@other:registry=http://main.example/npm/group/
//main.example/npm/:_authToken=main-token
//acme.example/:username=who
//acme.example/:_password=${base64('p:ss')}
`);
    expect(await npmRegistries(npm)).toEqual([
      { url: 'http://main.example/npm/group/', token: 'main-token', caFile: undefined, ca: [] },
      { url: 'http://acme.example/', scope: '@acme', username: 'who', password: 'p:ss', caFile: undefined, ca: [] },
    ]);
  });

  test('the environment goes before the user’s file, that before the global one, and a project’s is passed over', async () => {
    const npm = await npmWith('@acme:registry=http://user.example/\n//user.example/:_auth=d2hvOnA=\n', {
      global: 'registry=http://global.example/\n@acme:registry=http://global.example/x/\ncafile=/etc/some.pem\n',
      variables: 'npm_config_registry=http://variable.example/',
    });
    expect(await npmRegistries(npm)).toEqual([
      { url: 'http://variable.example/', caFile: '/etc/some.pem', ca: [] },
      { url: 'http://user.example/', scope: '@acme', username: 'who', password: 'p', caFile: '/etc/some.pem', ca: [] },
    ]);
  });

  test('an address with a password in it, which npm shows nobody, is found all the same', async () => {
    const npm = await npmWith('registry=http://who:secret@main.example/\n');
    const [registry] = await npmRegistries(npm);
    expect(registry!.url).toBe('http://who:secret@main.example/');
  });

  test('without a setting is what npm has built in', async () => {
    const [registry, ...others] = await npmRegistries(await npmWith(''));
    expect(registry!.url).toMatch(/^https:\/\/[^/]+\/$/);
    expect(others).toEqual([]);
  });

  test('a value that stands for a variable is nobody’s token, and is said to be there', async () => {
    const npm = await npmWith('registry=http://main.example/\n//main.example/:_authToken=$' + '{TOKEN}\n');
    const [registry] = await npmRegistries(npm);
    expect(registry).not.toHaveProperty('token');
    expect(registry!.secretInVariable).toBe(true);
    const started = await startRegistry({ config: { npm } });
    await expect
      .poll(() => started.larder.log())
      .toContainEqual(
        expect.objectContaining({
          event: 'origins',
          origin: 'npm',
          msg: expect.stringMatching(/stands in a variable/),
        }),
      );
    await started.close();
  });

  test('no npm at all is said in words that tell what to set', async () => {
    await expect(npmRegistries('/nowhere/npm')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/set npm\.origins/),
    });
  });
});

test('origins are called alike on every machine: after npm, and after their scopes', async () => {
  const npm = await npmWith('registry=http://main.example/\n@Acme.x:registry=http://acme.example/\n');
  const origins = new Origins(configSchema.parse({ npm }));
  expect((await origins.list()).map(({ name, scopes }) => [name, scopes])).toEqual([
    ['npm', []],
    ['scope-acme-x', ['@Acme.x']],
  ]);
  expect((await origins.forName('@acme.x/a')).map(({ name }) => name)).toEqual(['scope-acme-x']);
  expect((await origins.forName('@acme/a')).map(({ name }) => name)).toEqual(['npm']);
});

test('credentials are those of the longest path that the registry’s begins with', () => {
  const lines = new Map([
    ['//h.example/:_authToken', 'host'],
    ['//h.example/a/:_authToken', 'folder'],
    ['//h.example/a/b:_authToken', 'exact'],
    ['//other.example/:_authToken', 'other'],
  ]);
  expect(credentialsIn(lines, 'http://h.example/a/b/')).toEqual({ token: 'exact' });
  expect(credentialsIn(lines, 'http://h.example/a/c/')).toEqual({ token: 'folder' });
  expect(credentialsIn(lines, 'http://h.example/x/')).toEqual({ token: 'host' });
  expect(credentialsIn(lines, 'http://none.example/')).toEqual({});
  expect(credentialsIn(lines, 'http://h.example:8080/')).toEqual({});
});

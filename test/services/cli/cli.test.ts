import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { Wants } from '../../../shared/mirror/wants.ts';
import { openStore } from '../../../shared/storage/store.ts';
import { keep, temporaryFolder } from '../../support/bundles.ts';
import { larder } from '../../support/larder.ts';

let folder: { path: string; remove(): Promise<void> };
let store: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = join(folder.path, 'store');
});
afterEach(() => folder.remove());

const run = (...args: string[]) => larder(args, { env: { LARDER_STORE: store }, timeout: 60_000 });

async function filled(fill: (opened: Awaited<ReturnType<typeof openStore>>) => Promise<void>): Promise<void> {
  const opened = await openStore(store, { now: Date.now });
  await fill(opened);
  await opened.close();
}

describe('exit statuses', () => {
  test.each([
    ['help that was asked for', ['--help'], 0],
    ['the version', ['--version'], 0],
    ['no verb', [], 2],
    ['an unknown verb', ['serv'], 2],
    ['an unknown option', ['serve', '--prot', '1'], 2],
    ['a missing argument', ['token', 'revoke'], 2],
    ['an unknown service', ['serve', 'pipy'], 2],
    ['a settings file that is not there', ['--config', '/nowhere/larder.yaml', 'token', 'list'], 2],
    ['a manifest that is not there', ['warm', '/nowhere/bundle.yaml'], 2],
    ['a token that is not there', ['token', 'revoke', 'abcdefgh'], 1],
  ])('%s', async (_name, args, code) => {
    const ran = await run(...args);
    expect(ran.code).toBe(code);
    expect(ran.stderr).not.toMatch(/\n\s+at /);
  });

  test('a wrong variable stops the start, with what would be right', async () => {
    const ran = await larder(['serve'], { env: { LARDER_STORE: store, LARDER_PYPI_PROT: '1' }, timeout: 60_000 });
    expect(ran.code).toBe(2);
    expect(ran.stderr).toBe(
      'larder: these settings are wrong:\n  LARDER_PYPI_PROT: there is no such setting; did you mean LARDER_PYPI_PORT?\nconfig/larder.yaml explains every one\n',
    );
  });

  test('help names every verb, and the exit statuses', async () => {
    const { stdout } = await run('--help');
    for (const verb of ['bundle', 'serve', 'store', 'token', 'wants', 'warm']) expect(stdout).toContain(`\n  ${verb}`);
    expect(stdout).toContain('0 done, 1 failed, 2 wrong usage or settings, 3 incomplete');
  });
});

describe('larder token', () => {
  test('shows a secret once, lists without it, and revokes', async () => {
    const made = await run('token', 'create', 'ci', '--write', '--service', 'pypi', '--days', '7');
    expect(made.stdout).toMatch(/^lrd_[a-z0-9]{8}_\w{40}\n$/);
    const id = made.stdout.split('_')[1]!;
    const listed = await run('token', 'list');
    expect(listed.stdout).toMatch(new RegExp(`^${id}  ci  read,write  pypi  \\d{4}-`));
    expect(listed.stdout).not.toContain(made.stdout.trim());
    expect(JSON.parse((await run('token', 'list', '--json')).stdout)).not.toHaveProperty('sha256');
    expect((await run('token', 'revoke', id)).stdout).toContain(`${id} is revoked`);
    expect((await run('token', 'list')).stdout).toBe('');
  });

  test.each([
    [['token', 'create', 'ci'], /--read, --write or --admin/],
    [['token', 'create', 'ci', '--read', '--service', 'pipy'], /no service pipy/],
    [['token', 'create', 'ci', '--read', '--days', 'soon'], /--days takes a number/],
  ])('refuses %j', async (args, words) => {
    const ran = await run(...args);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(words);
  });
});

describe('larder wants', () => {
  beforeEach(() =>
    filled(async ({ objects }) => {
      const wants = new Wants(objects, { service: 'pypi', now: () => Date.parse('2026-11-23T12:00:00Z') });
      await wants.record({ key: 'index/a/numpy', label: 'numpy', item: { python: 'numpy' } });
      await wants.record({ key: 'file/a/numpy', label: 'numpy-2.whl', item: { python: 'numpy' } });
    }),
  );

  test('lists what was asked for in vain, and forgets it when told to', async () => {
    const listed = await run('wants', 'list');
    expect(listed.stdout.split('\n').sort()).toEqual([
      '',
      '2026-11-23T12:00:00.000Z  pypi  numpy',
      '2026-11-23T12:00:00.000Z  pypi  numpy-2.whl',
    ]);
    expect((await run('wants', 'clear')).code).toBe(0);
    expect(await run('wants', 'list')).toMatchObject({ code: 0, stdout: '' });
  });

  test('exports a manifest that bundles are made from, each item once', async () => {
    const { stdout } = await run('wants', 'export', '--name', 'next');
    expect(parse(stdout)).toMatchObject({ format: 'larder-manifest/1', name: 'next', items: [{ python: 'numpy' }] });
  });
});

describe('larder store', () => {
  test('says that a store is whole, and counts it', async () => {
    await filled((opened) => keep(opened, 'pypi', 'file/a', Buffer.from('bytes')).then(() => undefined));
    expect(await run('store', 'verify')).toMatchObject({ code: 0, stdout: 'the store is whole\n' });
    expect((await run('store', 'stats')).stdout).toMatch(/^pypi +1 names {2}5 B$/m);
    expect(JSON.parse((await run('store', 'stats', '--json')).stdout)).toMatchObject({ blobs: { count: 1, bytes: 5 } });
  });

  test('finds damage with exit status 3, and moves it away when told to', async () => {
    let digest = '';
    await filled(async (opened) => {
      ({ digest } = await keep(opened, 'pypi', 'file/a', Buffer.from('bytes')));
    });
    await writeFile(join(store, 'blobs/sha256', digest.split(':')[1]!), 'other');
    const found = await run('store', 'verify');
    expect([found.code, found.stdout]).toEqual([3, expect.stringContaining(`damaged: ${digest}`)]);
    expect((await run('store', 'verify', '--remove')).stdout).toContain(`moved away: ${digest}`);
    const missing = await run('store', 'verify');
    expect([missing.code, missing.stdout]).toEqual([3, expect.stringContaining('missing: pypi file/a')]);
  });

  test('shows what no name needs, and frees it only when told to', async () => {
    await filled(async (opened) => {
      await keep(opened, 'pypi', 'file/a', Buffer.from('bytes'));
      await opened.catalog('pypi').delete('file/a');
    });
    expect((await run('store', 'gc', '--older-than', '0')).stdout).toContain('add --yes to free them');
    expect((await run('store', 'gc', '--older-than', '0', '--yes')).stdout).toContain('1 blobs freed, 5 B');
    expect((await run('store', 'gc', '--older-than', 'x')).code).toBe(2);
  });
});

test('a reader that has had enough ends a verb without a word', async () => {
  const main = resolve(import.meta.dirname, '../../../services/cli/larder.mjs');
  const child = spawn(process.execPath, [main, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  await once(child, 'exit');
  expect(errors).toBe('');
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { type Ran, runCommand } from '../support/python-clients.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
const blocks = new Map(
  [...readme.matchAll(/<!-- tour: ([\w-]+) -->\n```\n([\s\S]*?)```/g)].map((match) => [match[1]!, match[2]!]),
);

let folder: { path: string; remove(): Promise<void> };
let env: NodeJS.ProcessEnv;
const servers: ChildProcess[] = [];

/** A clone as a newcomer has it after `npm install`: the tracked files, and the packages beside them. */
beforeAll(async () => {
  folder = await temporaryFolder();
  const { stdout } = await runCommand('git', ['ls-files'], { cwd: ROOT });
  for (const name of stdout.trim().split('\n')) {
    await mkdir(join(folder.path, dirname(name)), { recursive: true });
    await copyFile(join(ROOT, name), join(folder.path, name));
  }
  await symlink(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'));
  await mkdir(join(folder.path, 'tour'));
  const own = Object.entries(process.env).filter(([name]) => !/^(LARDER_|AIRGAPPED|npm_|VITEST)/.test(name));
  env = { ...Object.fromEntries(own), PIP_FIND_LINKS: '', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
});

afterAll(async () => {
  for (const server of servers) await stop(server);
  await folder?.remove();
});

function run(name: string): Promise<Ran> {
  return runCommand('bash', ['-euo', 'pipefail', '-c', blocks.get(name)!], { cwd: folder.path, env });
}

/** Starts what a reader would leave running in a terminal, and waits for its port. */
async function start(command: string, port: number): Promise<void> {
  const server = spawn('bash', ['-c', command], { cwd: folder.path, env, stdio: 'ignore', detached: true });
  servers.push(server);
  for (let tries = 0; tries < 600; tries += 1) {
    if (
      await fetch(`http://127.0.0.1:${port}/simple/`, { method: 'HEAD', signal: AbortSignal.timeout(30_000) }).then(
        () => true,
        () => false,
      )
    )
      return;
    if (server.exitCode !== null) break;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`"${command}" did not answer on ${port}`);
}

/** npm does not always hand a signal on: the group that we started is ended, by its own id. */
async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  process.kill(-server.pid!, 'SIGTERM');
  await once(server, 'exit');
}

test('the README has exactly two set-up commands', () => {
  const commands = readme.match(/^npm install.*$/gm);
  expect(commands).toEqual(['npm install && npm start', 'npm install && npm test']);
});

test('the tour works as it is written', async () => {
  expect([...blocks.keys()]).toEqual([
    'connected',
    'manifest',
    'create',
    'carry',
    'import',
    'serve-site',
    'airgapped',
    'wants',
    'model',
    'image',
    'buckets',
    'catalog',
    'packages',
  ]);
  await start('npm start', 8082);
  expect(await run('connected')).toMatchObject({ code: 0, stdout: expect.stringContaining('1.17.0') });
  expect(await run('manifest')).toMatchObject({ code: 0 });
  expect(await run('create')).toMatchObject({ code: 0, stdout: expect.stringContaining('complete  yes') });
  expect(await run('carry')).toMatchObject({ code: 0, stdout: expect.stringContaining('is whole') });
  expect(await run('import')).toMatchObject({ code: 0 });
  await start(blocks.get('serve-site')!, 8182);
  expect(await run('airgapped')).toMatchObject({ code: 0, stdout: expect.stringContaining('2.32.3 6.0.2') });
  expect(await run('wants')).toMatchObject({ code: 0, stdout: expect.stringContaining('attrs') });
  expect(await readFile(join(folder.path, 'tour/next.yaml'), 'utf8')).toContain('{"python":"attrs"}');
  expect(await run('model')).toMatchObject({ code: 0, stdout: expect.stringContaining('{"model_type": "bert"}') });
  const image = await run('image');
  expect(image).toMatchObject({ code: 0, stdout: expect.stringContaining('docker.io/lab/first:1  sha256:') });
  expect(image.stdout).toMatch(/"mediaType": ?"application\/vnd\.docker.*\{"model_type": "bert"\}\n$/s);
  const buckets = await run('buckets');
  expect(buckets).toMatchObject({ code: 0, stdout: expect.stringContaining('lab/first/main/config.json') });
  expect(buckets.stdout).toMatch(/\{"model_type": "bert"\}\n$/);
  const catalog = await run('catalog');
  expect(catalog).toMatchObject({ code: 0, stdout: expect.stringContaining('"path":"config.json"') });
  expect(catalog.stdout).toContain('{"model_type": "bert"}\n');
  expect(catalog.stdout).toContain(' lab/tao/first/1/config.json\n');
  const packages = await run('packages');
  expect(packages).toMatchObject({ code: 0, stdout: expect.stringContaining('+ @lab/kit@1.0.0') });
  expect(packages.stdout).toMatch(/@lab\/kit@1\.0\.0\n.*is-number@7\.0\.0/);
});

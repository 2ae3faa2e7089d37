import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { KEY, type Site, startSite } from '../services/s3/support.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { type DockerDaemon, startDocker } from '../support/docker-daemon.ts';
import { freePort } from '../support/free-port.ts';
import { importNodeImage } from '../support/node-image.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** What compose.yaml says of every service. */
const stanza = (
  parse(readFileSync(resolve(ROOT, 'compose.yaml'), 'utf8'), { merge: true }) as {
    services: { s3: { healthcheck: { test: string[] }; cap_drop: string[]; security_opt: string[]; tmpfs: string[] } };
  }
).services.s3;

/** On the host's network: the daemons of tests have no bridge. */
describe('the image of the Dockerfile', () => {
  let daemon: DockerDaemon;
  let folder: { path: string; remove(): Promise<void> };
  let engine: Site;

  beforeAll(async () => {
    daemon = await startDocker({ patience: 600_000 });
    folder = await temporaryFolder();
    const base = await importNodeImage(daemon, folder.path);
    // npm's settings of this machine say which registry to ask, and Node's whom to trust
    const settings = execFileSync('npm', ['config', 'get', 'userconfig'], { encoding: 'utf8' }).trim();
    const files = { npmrc: settings, ca: process.env.NODE_EXTRA_CA_CERTS ?? '' };
    const secret = Object.entries(files).flatMap(([id, src]) =>
      existsSync(src) ? ['--secret', `id=${id},src=${src}`] : [],
    );
    await docker('build', '--network=host', '--build-arg', `NODE_IMAGE=${base}`, ...secret, '--tag', 'larder', ROOT);
    engine = await startSite();
    await engine.s3.send(new CreateBucketCommand({ Bucket: 'larder' }));
  });

  afterAll(async () => {
    await daemon?.close();
    await engine?.close();
    await folder?.remove();
  });

  /** Runs docker, which must do it. */
  async function docker(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await daemon.docker(...args);
    expect(`${args[0]} ended with ${code}: ${code === 0 ? '' : stderr + stdout}`).toBe(`${args[0]} ended with 0: `);
    return stdout.trim();
  }

  test('holds Larder and what it runs on, and neither tests nor settings of npm', async () => {
    const inside = (...command: string[]) => docker('run', '--rm', '--network=none', '--entrypoint', ...command);
    expect((await inside('/bin/ls', 'larder', '-a', '/larder')).split(/\s+/).sort()).toEqual(
      ['.', '..', 'config', 'node_modules', 'package.json', 'services', 'shared'].sort(),
    );
    expect(await inside('/bin/ls', 'larder', '/larder/node_modules')).not.toMatch(/vitest|node-linux/);
    expect(await inside('/bin/id', 'larder', '-u')).toBe('1000');
    const { version } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(await docker('run', '--rm', '--network=none', 'larder', '--version')).toBe(version);
  });

  test('serves over an engine as compose.yaml runs it, is found ready, and stops as it was told to', async () => {
    const [port, admin] = [await freePort(), await freePort()];
    const env = {
      LARDER_STORE: `s3://larder?endpoint=${engine.url}`,
      LARDER_STORE_ACCESS_KEY: KEY.accessKeyId,
      LARDER_STORE_SECRET_KEY: KEY.secretAccessKey,
      LARDER_LISTEN: '127.0.0.1',
      LARDER_PYPI_PORT: String(port),
      LARDER_ADMIN_PORT: String(admin),
      AIRGAPPED_MODE: 'true',
    };
    const limits = [
      '--read-only',
      ...stanza.tmpfs.flatMap((path) => ['--tmpfs', path]),
      ...stanza.cap_drop.flatMap((name) => ['--cap-drop', name]),
      ...stanza.security_opt.flatMap((option) => ['--security-opt', option]),
    ];
    const settings = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const volume = ['--volume', 'work:/var/lib/larder'];
    const name = ['--name', 'pypi', '--network=host'];
    await docker('run', '--detach', ...name, ...limits, ...settings, ...volume, 'larder', 'serve', 'pypi');
    const [, program, ...args] = stanza.healthcheck.test;
    const check = [program!, ...args.map((arg) => arg.replace(':9090/', `:${admin}/`))];
    await readyBy(() => daemon.docker('exec', 'pypi', ...check));
    expect((await fetch(`http://127.0.0.1:${port}/simple/`)).status).toBe(200);
    expect(await docker('exec', 'pypi', 'larder', 'token', 'create', 'ci', '--write')).toMatch(/^lrd_/);
    expect(await engine.larder.store.catalog('s3').keys()).not.toEqual([]);
    await docker('stop', '--time', '30', 'pypi');
    expect(await docker('inspect', '--format', '{{.State.ExitCode}}', 'pypi')).toBe('0');
  });

  test('keeps an embedded store in its volume when nothing else is said', async () => {
    const run = (...args: string[]) =>
      docker('run', '--rm', '--network=none', '--volume', 'store:/var/lib/larder', 'larder', ...args);
    expect(await run('token', 'create', 'ci', '--read')).toMatch(/^lrd_/);
    expect(await run('token', 'list')).toContain('  ci  ');
  });

  async function readyBy(check: () => Promise<{ code: number; stderr: string }>): Promise<void> {
    let last = '';
    for (let tries = 0; tries < 60; tries += 1) {
      const { code, stderr } = await check();
      if (code === 0) return;
      last = stderr;
      await new Promise((done) => setTimeout(done, 500));
    }
    throw new Error(`it was not ready: ${last}\n${(await daemon.docker('logs', 'pypi')).stderr}`);
  }
});

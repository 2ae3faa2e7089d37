import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../support/bundles.ts';
import { type SpawnedLarder, spawnLarder } from '../../support/larder.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { PackageIndex } from '../../support/package-index.ts';
import { buildWheel } from '../../support/wheels.ts';

const COMMAND = resolve(import.meta.dirname, '../../../services/cli/larder.mjs');

let folder: { path: string; remove(): Promise<void> };
let origin: OriginServer;
let server: SpawnedLarder | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
  origin = await startOriginServer();
});
afterEach(async () => {
  await server?.kill();
  server = undefined;
  await origin.close();
  await folder.remove();
});

/** A server whose one file takes so many seconds to come. @returns the request for it, under way */
async function withRequestUnderWay(seconds: number): Promise<Response> {
  const index = new PackageIndex(origin);
  const wheel = index.offer(buildWheel({ name: 'slow', version: '1.0', files: { 'data.bin': randomBytes(100_000) } }));
  origin.set(`/files/${wheel.filename}`, { body: wheel.bytes, pace: wheel.bytes.length / seconds });
  const origins = JSON.stringify([{ name: 'pypi', url: index.url }]);
  server = await spawnLarder({ store: join(folder.path, 'store'), env: { LARDER_PYPI_ORIGINS: origins } });
  return fetch(`${server.urls.pypi}/files/pypi/slow/${wheel.filename}`);
}

const signal = (name: NodeJS.Signals) => process.kill(server!.pid, name);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs the command until it has said all of its start block. */
async function startBlock(env: NodeJS.ProcessEnv): Promise<string> {
  const all = {
    ...process.env,
    LARDER_STORE: join(folder.path, 'store'),
    LARDER_PYPI_PORT: '0',
    LARDER_HUGGINGFACE_PORT: '0',
    LARDER_NGC_PORT: '0',
    LARDER_NPM_PORT: '0',
    LARDER_OCI_PORT: '0',
    LARDER_S3_PORT: '0',
    ...env,
  };
  const child = spawn(process.execPath, [COMMAND, 'serve'], { env: { ...all, LARDER_ADMIN_PORT: '0' } });
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (/\n {2}admin .*\n/.test(text)) break;
  }
  child.kill('SIGTERM');
  await once(child, 'exit');
  return text;
}

describe('the start block', () => {
  test('says the mode, the store, and for each service its address and how to point a client there', async () => {
    const lines = (await startBlock({ AIRGAPPED_MODE: 'true' })).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^Larder \d+\.\d+\.\d+, airgapped, store .*\/store$/);
    expect(lines[1]).toMatch(/^ {2}huggingface +(http:\/\/127\.0\.0\.1:\d+) +HF_ENDPOINT=\1 hf download <org\/name>$/);
    expect(lines[2]).toMatch(/^ {2}ngc +(http:\/\/127\.0\.0\.1:\d+) +wget --content-disposition \1\/v2\/models\//);
    expect(lines[3]).toMatch(/^ {2}npm +(http:\/\/127\.0\.0\.1:\d+) +npm install --registry \1\/ <package>$/);
    expect(lines[4]).toMatch(/^ {2}oci +http:\/\/(127\.0\.0\.1:\d+) +docker pull \1\/docker\.io\/library\/busybox$/);
    expect(lines[5]).toMatch(/^ {2}pypi +(http:\/\/127\.0\.0\.1:\d+) +pip install --index-url \1\/simple\/ <package>$/);
    expect(lines.at(-1)).toMatch(/^ {2}admin +http:\/\/127\.0\.0\.1:\d+ +\/livez \/readyz \/metrics \/wants$/);
    const columns = lines.slice(1).map((line) => [line.indexOf('http://'), line.search(/\S+ ?\S*$/) > 0]);
    expect(new Set(columns.map(([column]) => column)).size).toBe(1);
  });

  test('points clients to where they reach it', async () => {
    const behindProxy = await startBlock({ LARDER_PYPI_PUBLIC_URL: 'https://pypi.site/' });
    expect(behindProxy).toContain('--index-url https://pypi.site/simple/ ');
    const everywhere = await startBlock({ LARDER_LISTEN: '0.0.0.0' });
    expect(everywhere).not.toMatch(/--index-url http:\/\/0\.0\.0\.0/);
  });
});

describe('told to stop', () => {
  test('it finishes what is under way and ends with 0; logs are JSON lines, on standard error', async () => {
    const answer = await withRequestUnderWay(1);
    signal('SIGTERM');
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100_000);
    expect(await server!.exited).toBe(0);
    const lines = server!.log().trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { event?: string }).event)).toContain('stop');
  });

  test('a Ctrl-C that arrives twice, from the terminal and from npm, is one', async () => {
    const answer = await withRequestUnderWay(3);
    signal('SIGINT');
    signal('SIGINT');
    // well within the half second in which they are one
    await pause(50);
    signal('SIGTERM');
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100_000);
    expect(await server!.exited).toBe(0);
  });

  test('and told again it ends at once', async () => {
    const answer = await withRequestUnderWay(15);
    const broken = expect(answer.arrayBuffer()).rejects.toThrow();
    signal('SIGTERM');
    await expect.poll(() => server!.log()).toContain('"event":"stop"');
    await pause(700);
    const began = performance.now();
    expect(await server!.stop()).toBe(130);
    // the request would take fifteen
    expect(performance.now() - began).toBeLessThan(8000);
    await broken;
  });
});

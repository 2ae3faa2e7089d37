import { execFile } from 'node:child_process';
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { containerTool } from '../support/container-tools.ts';
import { freePort } from '../support/free-port.ts';
import { larder as command, spawnLarder } from '../support/spawn-larder.ts';
import { startPeer } from './measure.ts';

const run = promisify(execFile);

/** A registry that is measured. */
export interface Registry {
  name: string;
  url: string;
  /** What curl says to be let in for a push. */
  login: string[];
  stop(): Promise<unknown>;
}

/** Larder, Debian's docker-registry (CNCF distribution) and, where it is on the PATH, zot; all with folders in here. */
export async function startRegistries(folder: string): Promise<Registry[]> {
  const registries = [await startLarder(folder), await startDistribution(folder)];
  const zot = await programOnPath('zot');
  if (zot) registries.push(await startZot(folder, zot));
  else process.stderr.write('zot is not on the PATH: measured without it\n');
  return registries;
}

/** It syncs what it acknowledges; its tags and manifests are read for each request. */
async function startLarder(folder: string): Promise<Registry> {
  const store = join(folder, 'larder');
  const { stdout } = await command(['token', 'create', 'bench', '--write', '--store', store]);
  const env = { LARDER_LOG_LEVEL: 'warn', AIRGAPPED_MODE: 'true', LARDER_PYPI_ENABLED: 'false' };
  const server = await spawnLarder({ store, env });
  return { name: 'larder', url: server.urls.oci!, login: ['-u', `bench:${stdout.trim()}`], stop: server.stop };
}

/** It syncs nothing, and keeps descriptors in memory, as its packaged settings have it. */
async function startDistribution(folder: string): Promise<Registry> {
  const port = await freePort();
  const dir = join(folder, 'distribution');
  await mkdir(dir);
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: dir }, cache: { blobdescriptor: 'inmemory' } },
    http: { addr: `127.0.0.1:${port}` },
  };
  await writeFile(join(dir, 'config.yml'), JSON.stringify(settings));
  const url = `http://127.0.0.1:${port}`;
  const peer = await startPeer(await containerTool('docker-registry'), ['serve', join(dir, 'config.yml')], { url });
  return { name: 'distribution', url, login: [], stop: peer.stop };
}

/** It syncs nothing unless `commit` is set. */
async function startZot(folder: string, program: string): Promise<Registry> {
  const port = await freePort();
  const dir = join(folder, 'zot');
  await mkdir(dir);
  const settings = {
    storage: { rootDirectory: join(dir, 'data'), gc: false },
    http: { address: '127.0.0.1', port: String(port) },
    log: { level: 'error' },
  };
  await writeFile(join(dir, 'config.json'), JSON.stringify(settings));
  const url = `http://127.0.0.1:${port}`;
  const peer = await startPeer(program, ['serve', join(dir, 'config.json')], { url: `${url}/v2/` });
  return { name: 'zot', url, login: [], stop: peer.stop };
}

async function programOnPath(name: string): Promise<string | undefined> {
  for (const place of (process.env.PATH ?? '').split(delimiter)) {
    const file = await open(join(place, name)).catch(() => undefined);
    await file?.close();
    if (file) return join(place, name);
  }
  return undefined;
}

/** A file of bytes that do not compress. @returns its digest */
export async function writeLayer(path: string, size: number): Promise<string> {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16));
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(20_000_000);
  const file = await open(path, 'w');
  for (let written = 0; written < size; ) {
    const bytes = cipher.update(zeros.subarray(0, Math.min(zeros.length, size - written)));
    hash.update(bytes);
    await file.write(bytes);
    written += bytes.length;
  }
  await file.close();
  return `sha256:${hash.digest('hex')}`;
}

/** Pushes a file as docker does: POST, one PATCH with all of it, PUT. @returns the seconds that it took */
export async function pushFile(registry: Registry, repository: string, path: string, digest: string): Promise<number> {
  const started = performance.now();
  const begun = await curl(registry, ['-X', 'POST', `${registry.url}/v2/${repository}/blobs/uploads/`]);
  const sent = await curl(registry, ['-X', 'PATCH', '-H', 'Expect:', '-T', path, locationIn(registry, begun)]);
  const target = new URL(locationIn(registry, sent));
  target.searchParams.set('digest', digest);
  await curl(registry, ['-X', 'PUT', target.href]);
  return (performance.now() - started) / 1000;
}

/** Pushes a manifest with these layers and an empty config, which has to be there. @returns its digest */
export async function pushManifest(
  registry: Registry,
  repository: string,
  layers: { digest: string; size: number }[],
  folder: string,
): Promise<string> {
  const config = join(folder, 'config.json');
  await writeFile(config, '{}');
  const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
  await pushFile(registry, repository, config, digestOf('{}'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('{}'), size: 2 },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer })),
  });
  const url = `${registry.url}/v2/${repository}/manifests/1`;
  await curl(registry, ['-X', 'PUT', '-H', `Content-Type: ${mediaType}`, '--data-binary', manifest, url]);
  return digestOf(manifest);
}

async function curl({ login }: Registry, args: string[]): Promise<string> {
  return (await run('curl', ['-sS', '-f', '-i', ...login, ...args])).stdout;
}

function locationIn({ url }: Registry, answer: string): string {
  return new URL(/^location: (\S+)/im.exec(answer)![1]!, url).href;
}

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AirGap, makeAirGap } from './air-gap.ts';
import { temporaryFolder } from './bundles.ts';
import { containerTool } from './container-tools.ts';
import { type DockerRegistry, startDockerRegistry } from './docker-registry.ts';
import { type BuiltImage, imageOf, indexOf, type Layer, layerOf } from './images.ts';
import { larder, type SpawnedLarder, spawnLarder } from './spawn-larder.ts';

/** What a busybox image of these tests says when it is run. */
export const SAID = 'hello from the larder';

/** A real registry that plays docker.io and nvcr.io, and a Larder in front of it, which later stands behind a gap. */
export interface ImageSite {
  /** docker.io/library/bb:1 and nvcr.io/nvidia/bb:1, with `large` behind the first. */
  origin: DockerRegistry;
  /** For two platforms, in OCI's types. */
  index: BuiltImage;
  /** For this platform only, in docker's types. */
  image: BuiltImage;
  /** `127.0.0.1:port` of the Larder that is connected. */
  host: string;
  log(): string;
  /** What may push. */
  token: string;
  gap: AirGap;
  /** Puts a daemon into the gap, where names are nobody's: see `RESOLVER`. */
  inside: AirGap['inside'];
  /** Ends the connected one and starts another, air-gapped and in the gap, over the same store; gives its host. */
  crossTheGap(): Promise<string>;
  close(): Promise<void>;
}

/**
 * docker looks a registry's name up before it asks the mirror for it, and waits for an answer for 10 s. A site without a
 * network has a resolver that says no, or none, which is what this is: then nothing leaves and nobody waits.
 */
const RESOLVER = 'nameserver 127.0.0.1\n';
const WITH_RESOLVER = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';

export interface ImageSiteOptions {
  /** A layer for `docker.io/library/large:1`, where one is wanted. */
  large?: Layer;
  /** Who plays docker.io and nvcr.io: Debian's docker-registry that lets everybody in, unless said. */
  origin?: {
    registry: DockerRegistry;
    /** What a push to it needs. */
    headersFor?(repository: string): Record<string, string>;
    /** What `oci.registries` says of it beside its address. */
    settings?: object;
    /** Further settings of the Larder, by variable. */
    env?: Record<string, string>;
  };
}

export async function startImageSite(options: ImageSiteOptions = {}): Promise<ImageSite> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const one of undo.splice(0).reverse()) await one();
  };
  try {
    return await startIn(undo, close, options);
  } catch (error) {
    await close();
    throw error;
  }
}

async function startIn(
  undo: (() => Promise<unknown>)[],
  close: () => Promise<void>,
  options: ImageSiteOptions,
): Promise<ImageSite> {
  const folder = await temporaryFolder();
  undo.push(folder.remove);
  const played = options.origin ?? { registry: await startDockerRegistry() };
  const origin = played.registry;
  undo.push(origin.close);
  const { index, image } = await busyboxes();
  const put = (repository: string, one: BuiltImage) =>
    origin.put(repository, '1', one, played.headersFor?.(repository));
  await put('library/bb', index);
  await put('nvidia/bb', image);
  if (options.large) await put('library/large', await imageOf({ layers: [options.large] }));
  const store = join(folder.path, 'store');
  const created = await larder(['token', 'create', 'ci', '--write', '--service', 'oci', '--store', store]);
  const registries = ['docker.io', 'nvcr.io'].map((name) => ({ name, url: origin.endpoint, ...played.settings }));
  const env = { ...played.env, LARDER_OCI_REGISTRIES: JSON.stringify(registries), LARDER_OCI_FRESH_SECONDS: '0' };
  const connected = await spawnLarder({ store, env });
  undo.push(connected.stop);
  const gap = await makeAirGap();
  undo.push(gap.close);
  const resolver = join(folder.path, 'resolv.conf');
  await writeFile(resolver, RESOLVER);
  return {
    origin,
    index,
    image,
    host: hostOf(connected),
    log: connected.log,
    token: created.stdout.trim(),
    gap,
    inside: (command, args) =>
      gap.inside('unshare', ['--mount', 'sh', '-c', WITH_RESOLVER, resolver, command, ...args]),
    async crossTheGap() {
      await connected.stop();
      const site = await spawnLarder({ store, env: { ...env, AIRGAPPED_MODE: 'true' }, wrap: gap.inside });
      undo.push(site.stop);
      return hostOf(site);
    },
    close,
  };
}

const hostOf = ({ urls }: SpawnedLarder) => new URL(urls.oci!).host;

/** One program that runs anywhere, in two kinds of image. */
async function busyboxes(): Promise<{ index: BuiltImage; image: BuiltImage }> {
  const files = { 'bin/busybox': await readFile(await containerTool('busybox')) };
  const executable = Object.keys(files);
  const cmd = ['/bin/busybox', 'echo', SAID];
  const here = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
  const other = { os: 'linux', architecture: here.architecture === 's390x' ? 'amd64' : 's390x' };
  const index = indexOf([
    await imageOf({ platform: here, cmd, layers: [await layerOf(files, { executable })] }),
    await imageOf({ platform: other }),
  ]);
  const layers = [await layerOf({ ...files, 'etc/kind': 'docker\n' }, { executable, docker: true })];
  return { index, image: await imageOf({ platform: here, cmd, layers, docker: true }) };
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerTool } from './container-tools.ts';
import { type Engine, placeOf, startEngine } from './engines.ts';
import { type Pushing, pushImage } from './image-push.ts';
import type { BuiltImage } from './images.ts';

/** Debian's docker-registry (CNCF distribution 2.8) over a folder, on loopback. */
export interface DockerRegistry extends Engine {
  /** Puts an image under a tag, with the requests of a push. */
  put(repository: string, tag: string, image: BuiltImage, headers?: Record<string, string>): Promise<void>;
}

/**
 * @param auth whom it lets in, as its settings have it; everybody when left out
 * @param driver where it keeps what it has, likewise; a folder when left out
 */
export async function startDockerRegistry(auth?: object, driver?: object): Promise<DockerRegistry> {
  const place = await placeOf();
  const config = join(place.data, 'config.yml');
  // JSON is YAML
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      ...(driver ?? { filesystem: { rootdirectory: join(place.data, 'registry') } }),
      delete: { enabled: true },
    },
    http: { addr: place.address },
    ...(auth ? { auth } : {}),
  };
  await writeFile(config, JSON.stringify(settings));
  const program = await containerTool('docker-registry');
  // its driver of S3 does not start where this is set
  const { AWS_CA_BUNDLE: _bundle, ...env } = process.env;
  const engine = await startEngine('docker-registry', program, ['serve', config], env, place);
  return withPut(engine);
}

/** The registry of go-containerregistry, in memory, as `crane registry serve` has it. */
export async function startCraneRegistry(): Promise<DockerRegistry> {
  const place = await placeOf();
  const args = ['registry', 'serve', '--address', place.address];
  return withPut(await startEngine('crane', await containerTool('crane'), args, process.env, place));
}

function withPut(engine: Engine): DockerRegistry {
  const put: DockerRegistry['put'] = (repository, tag, image, headers) =>
    putImage({ url: engine.endpoint, repository, headers: headers ?? {} }, image, tag);
  // not spread: its pid is a getter
  return Object.assign(engine, { put });
}

/** Pushes an image with the manifests that it names before itself. */
async function putImage(pushing: Pushing, image: BuiltImage, reference: string): Promise<void> {
  for (const one of image.manifests) await putImage(pushing, one, one.digest);
  await pushImage(pushing, image, reference);
}

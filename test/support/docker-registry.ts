import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerTool } from './container-tools.ts';
import { type Engine, placeOf, startEngine } from './engines.ts';
import type { BuiltImage } from './images.ts';

/** Debian's docker-registry (CNCF distribution 2.8) over a folder, on loopback. */
export interface DockerRegistry extends Engine {
  /** Puts an image under a tag, with the requests of a push. */
  put(repository: string, tag: string, image: BuiltImage): Promise<void>;
}

export async function startDockerRegistry(): Promise<DockerRegistry> {
  const place = await placeOf();
  const config = join(place.data, 'config.yml');
  // JSON is YAML
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(place.data, 'registry') }, delete: { enabled: true } },
    http: { addr: place.address },
  };
  await writeFile(config, JSON.stringify(settings));
  const program = await containerTool('docker-registry');
  const engine = await startEngine('docker-registry', program, ['serve', config], process.env, place);
  // not spread: its pid is a getter
  return Object.assign(engine, {
    put: (repository: string, tag: string, image: BuiltImage) => putImage(engine.endpoint, repository, tag, image),
  });
}

/** Pushes by plain requests: each blob in one PUT, the manifests that an index names before itself. */
async function putImage(registry: string, repository: string, reference: string, image: BuiltImage): Promise<void> {
  const base = `${registry}/v2/${repository}`;
  for (const one of image.manifests) await putImage(registry, repository, one.digest, one);
  for (const [digest, body] of image.blobs) {
    const started = await ask(`${base}/blobs/uploads/`, { method: 'POST' });
    const target = new URL(started.headers.get('location')!, base);
    target.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    await ask(target.href, { method: 'PUT', headers, body: new Uint8Array(body) });
  }
  const headers = { 'content-type': image.mediaType };
  await ask(`${base}/manifests/${reference}`, { method: 'PUT', headers, body: new Uint8Array(image.bytes) });
}

async function ask(url: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(url, init);
  if (!answer.ok) throw new Error(`${init.method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer;
}

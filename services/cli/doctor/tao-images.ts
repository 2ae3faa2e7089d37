import { type Dispatcher, fetch } from 'undici';
import { parse } from 'yaml';
import { readPreset } from '../presets.ts';
import { type Finding, good, wrong } from './findings.ts';

/** Milliseconds for an answer: a connected Larder asks the registry. */
const PATIENCE = 60_000;
const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

export interface ImagesWish {
  url: string;
  preset: string;
  dispatcher: Dispatcher;
}

/**
 * Whether every image can be had that TAO's compose file starts: its own script that saves images leaves some out, and
 * `pull_policy: always` asks for all of them again (reference ngc.md §1.5).
 */
export async function* checkImages({ url, preset, dispatcher }: ImagesWish): AsyncGenerator<Finding> {
  const { items = [] } = parse((await readPreset(preset)).text) as { items?: { oci?: string }[] };
  const images = items.flatMap(({ oci }) => (oci === undefined ? [] : [oci]));
  const missing: string[] = [];
  const token = await tokenOf(url, dispatcher);
  for (const image of images) {
    const status = await askFor(url, image, dispatcher, token);
    if (status !== 200) missing.push(status === 404 ? image : `${image} (${status})`);
  }
  if (missing.length === 0) yield good('images', `all ${images.length} images of ${preset} can be had from ${url}`);
  else
    yield wrong(
      'images',
      `not to be had from ${url}: ${missing.join(', ')}. Carry them: larder bundle create --preset ${preset}, or larder oci import saved-docker-images`,
    );
}

/** What a client without a name of its own is given. */
async function tokenOf(url: string, dispatcher: Dispatcher): Promise<string | undefined> {
  const answer = await fetch(`${url}/token`, { dispatcher, signal: AbortSignal.timeout(PATIENCE) });
  if (answer.status !== 200) return void (await answer.body?.cancel());
  return ((await answer.json()) as { token?: string }).token;
}

async function askFor(url: string, image: string, dispatcher: Dispatcher, token: string | undefined): Promise<number> {
  const [, name, digest, tag] = /^(.+?)(?:@(sha256:[0-9a-f]{64})|:([\w.-]+))$/.exec(image) ?? [undefined, image];
  const headers = { accept: MANIFESTS, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const signal = AbortSignal.timeout(PATIENCE);
  const address = `${url}/v2/${name}/manifests/${digest ?? tag ?? 'latest'}`;
  return (await fetch(address, { method: 'HEAD', headers, signal, dispatcher })).status;
}

import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { BuiltImage, Layer } from './images.ts';
import { sha } from './images.ts';

/** Files of an archive; a link says where it leads. */
export type ArchiveContent = Map<string, Buffer | { link: string }>;

/** An OCI image layout of images, as their tools name them. */
export function layoutOf(
  images: { image: BuiltImage; annotations?: Record<string, string> }[],
  without: readonly string[] = [],
): ArchiveContent {
  const files: ArchiveContent = new Map();
  const add = (image: BuiltImage) => {
    for (const one of image.manifests) add(one);
    for (const [digest, bytes] of [...image.blobs, [image.digest, image.bytes] as const])
      if (!without.includes(digest)) files.set(`blobs/${digest.replace(':', '/')}`, bytes);
  };
  for (const { image } of images) add(image);
  const manifests = images.map(({ image: { mediaType, digest, size }, annotations }) => ({
    mediaType,
    digest,
    size,
    annotations,
  }));
  files.set('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  return files;
}

export interface SavedInDocker {
  tags: string[] | null;
  layers: Layer[];
}

/** What `docker save` wrote before version 25: the manifest last, layers that repeat as links. */
export function dockerSaveOf(images: SavedInDocker[]): ArchiveContent {
  const files: ArchiveContent = new Map();
  const manifest = images.map(({ tags, layers }) => {
    const config = Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        config: {},
        rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      }),
    );
    const name = `${sha(config).slice('sha256:'.length)}.json`;
    files.set(name, config);
    return { Config: name, RepoTags: tags, Layers: layers.map((layer) => addLayer(files, layer)) };
  });
  files.set('manifest.json', Buffer.from(JSON.stringify(manifest)));
  return files;
}

function addLayer(files: ArchiveContent, { bytes, diffId }: Layer): string {
  const id = sha(`${files.size}${diffId}`).slice('sha256:'.length);
  const path = `${id}/layer.tar`;
  const same = [...files].find(([name, one]) => name.endsWith('/layer.tar') && one instanceof Buffer && one === bytes);
  files.set(path, same ? { link: `../${same[0]}` } : bytes);
  return path;
}

export async function writeTar(path: string, files: ArchiveContent): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const archive = pack();
  const written = pipeline(archive, createWriteStream(path));
  for (const [name, one] of files)
    if ('link' in one) archive.entry({ name, type: 'symlink', linkname: one.link });
    else archive.entry({ name }, one);
  archive.finalize();
  await written;
}

export async function writeFolder(path: string, files: ArchiveContent): Promise<void> {
  for (const [name, one] of files) {
    if ('link' in one) throw new Error(`${name} is a link`);
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), one);
  }
}

import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** Content of a registry in memory: what has a digest, and what that names. */
export interface BuiltImage {
  bytes: Buffer;
  mediaType: string;
  digest: string;
  size: number;
  /** Its own blobs, those of what it names included. */
  blobs: Map<string, Buffer>;
  /** Manifests that it names, for an index. */
  manifests: BuiltImage[];
  platform?: { os: string; architecture: string };
  /** What it says it belongs to. */
  subject?: string;
  artifactType?: string;
  annotations?: Record<string, string>;
}

export const sha = (bytes: Buffer | string, algorithm = 'sha256') =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

export interface Layer {
  bytes: Buffer;
  mediaType: string;
  /** Digest of the tar within. */
  diffId: string;
}

/** A layer of files, compressed as asked for. */
export async function layerOf(
  files: Record<string, Buffer | string>,
  options: { compression?: 'gzip' | 'zstd' | 'none'; docker?: boolean; executable?: string[] } = {},
): Promise<Layer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) {
    const mode = options.executable?.includes(name) ? 0o755 : 0o644;
    archive.entry({ name, mode, mtime: new Date(0) }, Buffer.from(content));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  const tar = Buffer.concat(chunks);
  const { compression = 'gzip', docker = false } = options;
  const bytes = compression === 'gzip' ? gzipSync(tar) : compression === 'zstd' ? zstdCompressSync(tar) : tar;
  const suffix = compression === 'none' ? '' : `${docker ? '.' : '+'}${compression}`;
  const mediaType = docker
    ? `application/vnd.docker.image.rootfs.diff.tar${suffix}`
    : `application/vnd.oci.image.layer.v1.tar${suffix}`;
  return { bytes, mediaType, diffId: sha(tar) };
}

/** A layer of one file with so many bytes that do not compress; the same each time. */
export async function largeLayer(bytes: number, seed = 'large'): Promise<Layer> {
  const content = Buffer.alloc(bytes);
  let state = createHash('sha256').update(seed).digest();
  for (let at = 0; at < bytes; at += state.copy(content, at)) state = createHash('sha256').update(state).digest();
  return layerOf({ 'data.bin': content }, { compression: 'none' });
}

interface ImageOptions {
  layers?: Layer[];
  platform?: { os: string; architecture: string };
  cmd?: string[];
  annotations?: Record<string, string>;
  docker?: boolean;
}

export async function imageOf(options: ImageOptions = {}): Promise<BuiltImage> {
  const layers = options.layers ?? [await layerOf({ hello: 'hello\n' })];
  const platform = options.platform ?? { os: 'linux', architecture: 'amd64' };
  const config = Buffer.from(
    JSON.stringify({
      ...platform,
      config: { Cmd: options.cmd ?? ['/bin/sh'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const blobs = new Map([[sha(config), config], ...layers.map(({ bytes }) => [sha(bytes), bytes] as const)]);
  const mediaType = options.docker
    ? 'application/vnd.docker.distribution.manifest.v2+json'
    : 'application/vnd.oci.image.manifest.v1+json';
  const configType = options.docker
    ? 'application/vnd.docker.container.image.v1+json'
    : 'application/vnd.oci.image.config.v1+json';
  const json = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: configType, digest: sha(config), size: config.length },
    layers: layers.map((layer) => ({ mediaType: layer.mediaType, digest: sha(layer.bytes), size: layer.bytes.length })),
    annotations: options.annotations,
  };
  return { ...built(json, mediaType, blobs, []), platform, annotations: options.annotations };
}

export function indexOf(images: BuiltImage[], annotations?: Record<string, string>): BuiltImage {
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const manifests = images.map(({ mediaType: type, digest, size, platform }) => ({
    mediaType: type,
    digest,
    size,
    platform,
  }));
  return built({ schemaVersion: 2, mediaType, manifests, annotations }, mediaType, new Map(), images);
}

/** Something that belongs to an image: a signature, a bill of material. */
export function artifactOf(subject: BuiltImage, artifactType: string, content: string): BuiltImage {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const empty = Buffer.from('{}');
  const blob = Buffer.from(content);
  const annotations = { made: 'for a test' };
  const json = {
    schemaVersion: 2,
    mediaType,
    artifactType,
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha(empty), size: 2 },
    layers: [{ mediaType: 'text/plain', digest: sha(blob), size: blob.length }],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations,
  };
  const blobs = new Map([
    [sha(empty), empty],
    [sha(blob), blob],
  ]);
  return { ...built(json, mediaType, blobs, []), subject: subject.digest, artifactType, annotations };
}

function built(json: object, mediaType: string, blobs: Map<string, Buffer>, manifests: BuiltImage[]): BuiltImage {
  const bytes = Buffer.from(JSON.stringify(json, null, 3));
  return { bytes, mediaType, digest: sha(bytes), size: bytes.length, blobs, manifests };
}

import { createHash, randomBytes } from 'node:crypto';

export const INDEX = 'application/vnd.oci.image.index.v1+json';
export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const CONFIG = 'application/vnd.oci.image.config.v1+json';
export const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
/** image-spec, manifest.md#guidance-for-an-empty-descriptor. */
export const EMPTY = 'application/vnd.oci.empty.v1+json';
export const BYTES = 'application/octet-stream';

export type Algorithm = 'sha256' | 'sha512';

/** image-spec, descriptor.md. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
  platform?: { os: string; architecture: string };
  urls?: string[];
  data?: string;
}

/** A manifest as it is pushed, and the blobs that go before it. */
export interface Content {
  bytes: Buffer;
  mediaType: string;
  digest: string;
  descriptor: Descriptor;
  blobs: Buffer[];
}

export function digestOf(bytes: Buffer | string, algorithm: Algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** Bytes that nobody has pushed yet. */
export function fresh(size = 100): Buffer {
  return randomBytes(size);
}

/** The digest of something that is nowhere. */
export function absent(algorithm: Algorithm = 'sha256'): string {
  return digestOf(fresh(), algorithm);
}

export function descriptorOf(bytes: Buffer, mediaType: string, algorithm: Algorithm = 'sha256'): Descriptor {
  return { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length };
}

/** Any JSON as a manifest. */
export function manifestOf(json: object, blobs: Buffer[] = [], algorithm: Algorithm = 'sha256'): Content {
  const bytes = Buffer.from(JSON.stringify(json));
  const { mediaType = MANIFEST } = json as { mediaType?: string };
  return {
    bytes,
    mediaType,
    digest: digestOf(bytes, algorithm),
    descriptor: descriptorOf(bytes, mediaType, algorithm),
    blobs,
  };
}

/** An image of one layer of its own, with further fields. */
export function image(more: object = {}, algorithm: Algorithm = 'sha256'): Content {
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', id: fresh(8).toString('hex') }));
  const layer = fresh();
  const json = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptorOf(config, CONFIG, algorithm),
    layers: [descriptorOf(layer, LAYER, algorithm)],
    ...more,
  };
  return manifestOf(json, [config, layer], algorithm);
}

/** A new image of one blob that is there already, with further fields. */
export function imageOn(blob: Buffer, more: object = {}): Content {
  const json = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptorOf(blob, CONFIG),
    layers: [descriptorOf(blob, LAYER)],
    nonce: fresh(8).toString('hex'),
    ...more,
  };
  return manifestOf(json);
}

/** Any bytes, sent as a manifest. */
export function rawManifest(text: string, mediaType: string = MANIFEST): Content {
  const bytes = Buffer.from(text);
  return { bytes, mediaType, digest: digestOf(bytes), descriptor: descriptorOf(bytes, mediaType), blobs: [] };
}

/** Something attached to another manifest: a signature, a bill of materials. */
export function artifact(subject: Descriptor, more: object = {}): Content {
  const config = Buffer.from('{}');
  const json = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: descriptorOf(config, EMPTY),
    layers: [],
    subject,
    ...more,
  };
  return manifestOf({ ...json, nonce: fresh(8).toString('hex') }, [config]);
}

export function index(manifests: Descriptor[], more: object = {}): Content {
  return manifestOf({ schemaVersion: 2, mediaType: INDEX, manifests, ...more });
}

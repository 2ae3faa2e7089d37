import { isDigest } from './digests.ts';
import { OciError } from './errors.ts';

export const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  schema1: 'application/vnd.docker.distribution.manifest.v1+json',
  signedSchema1: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
  artifact: 'application/vnd.oci.artifact.manifest.v1+json',
} as const;

/** All that is asked of an origin at once: what it has is kept as it is, and never another form of it. */
export const ACCEPT = [
  MEDIA.index,
  MEDIA.dockerList,
  MEDIA.manifest,
  MEDIA.dockerManifest,
  MEDIA.artifact,
  MEDIA.signedSchema1,
  MEDIA.schema1,
  '*/*;q=0.1',
].join(', ');

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
  'os.version'?: string;
}

/** image-spec, descriptor.md. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: Platform;
  annotations?: Record<string, string>;
  artifactType?: string;
  urls?: string[];
}

/** What a manifest says of others. */
export interface Manifest {
  kind: 'image' | 'index' | 'schema1';
  mediaType: string;
  config?: Descriptor;
  layers: Descriptor[];
  manifests: Descriptor[];
  subject?: Descriptor;
  /** As referrers lists show it: its own, or what its config is. */
  artifactType?: string;
  annotations?: Record<string, string>;
}

const DEEPEST = 60;

/** True for a blob that need not be in the registry (image-spec, layer.md#non-distributable-layers). */
export function isForeign({ mediaType, urls }: Descriptor): boolean {
  return /nondistributable|\.foreign\./.test(mediaType) || (urls !== undefined && urls.length > 0);
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA.index || mediaType === MEDIA.dockerList;
}

/**
 * Reads a manifest. Throws `MANIFEST_INVALID` for what is no JSON, contradicts its media type, or names others in a way
 * that cannot be followed. Fields that are not known are nobody's business: the bytes are kept as they are.
 */
export function readManifest(bytes: Buffer, mediaType?: string): Manifest {
  const json = parsed(bytes);
  const own = typeof json.mediaType === 'string' ? json.mediaType : undefined;
  const given = mediaType?.split(';')[0]?.trim() || undefined;
  // image-spec, manifest.md: "`mediaType` … when used, this field MUST … be consistent with the Content-Type"
  if (given && own && given !== own && given !== 'application/json' && given !== 'application/octet-stream')
    throw invalid(`it says "${own.slice(0, 120)}" of itself and was sent as "${given.slice(0, 120)}"`);
  const type =
    own ?? (given && given !== 'application/json' && given !== 'application/octet-stream' ? given : undefined);
  if (json.schemaVersion === 1)
    return { kind: 'schema1', mediaType: type ?? MEDIA.signedSchema1, layers: schema1Layers(json), manifests: [] };
  const isIndex = type === undefined ? Array.isArray(json.manifests) : isIndexType(type);
  const common = {
    subject: json.subject === undefined || json.subject === null ? undefined : descriptor(json.subject, 'subject'),
    annotations: annotationsOf(json.annotations),
  };
  const artifactType =
    typeof json.artifactType === 'string' && json.artifactType !== '' ? json.artifactType : undefined;
  if (isIndex)
    return {
      kind: 'index',
      mediaType: type ?? MEDIA.index,
      layers: [],
      manifests: descriptors(json.manifests, 'manifests'),
      artifactType,
      ...common,
    };
  const config = json.config === undefined ? undefined : descriptor(json.config, 'config');
  return {
    kind: 'image',
    mediaType: type ?? MEDIA.manifest,
    config,
    layers: [...descriptors(json.layers, 'layers'), ...descriptors(json.blobs, 'blobs')],
    manifests: [],
    artifactType: artifactType ?? config?.mediaType,
    ...common,
  };
}

function parsed(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw invalid('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('it is no JSON object');
  checkDepth(value, 0);
  return value as Record<string, unknown>;
}

function checkDepth(value: object, depth: number): void {
  if (depth > DEEPEST) throw invalid(`it is nested more than ${DEEPEST} deep`);
  for (const one of Object.values(value)) if (typeof one === 'object' && one !== null) checkDepth(one, depth + 1);
}

function descriptors(value: unknown, where: string): Descriptor[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid(`"${where}" is no list`);
  return value.map((one, index) => descriptor(one, `${where}[${index}]`));
}

function descriptor(value: unknown, where: string): Descriptor {
  const one = value as Partial<Descriptor> | null;
  if (typeof one !== 'object' || one === null) throw invalid(`"${where}" is no descriptor`);
  if (typeof one.digest !== 'string' || !isDigest(one.digest))
    throw invalid(`"${where}" has no digest that is known here`);
  if (!Number.isSafeInteger(one.size) || one.size! < 0) throw invalid(`"${where}" has no size`);
  const mediaType = typeof one.mediaType === 'string' ? one.mediaType : 'application/octet-stream';
  const urls = Array.isArray(one.urls) ? one.urls.filter((url) => typeof url === 'string') : undefined;
  const { platform, artifactType } = one;
  return {
    mediaType,
    digest: one.digest,
    size: one.size!,
    platform,
    urls,
    artifactType,
    annotations: annotationsOf(one.annotations),
  };
}

function annotationsOf(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const texts = Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return texts.length > 0 ? Object.fromEntries(texts) : undefined;
}

function schema1Layers(json: Record<string, unknown>): Descriptor[] {
  const layers = Array.isArray(json.fsLayers) ? (json.fsLayers as { blobSum?: unknown }[]) : [];
  return layers
    .filter((layer): layer is { blobSum: string } => typeof layer?.blobSum === 'string' && isDigest(layer.blobSum))
    .map(({ blobSum }) => ({
      mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      digest: blobSum,
      size: 0,
    }));
}

function invalid(why: string): OciError {
  return new OciError('bad-request', 'manifest', `this is no manifest that can be taken: ${why}`, {
    code: 'MANIFEST_INVALID',
  });
}

/** `linux/arm64/v8` */
export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/');
}

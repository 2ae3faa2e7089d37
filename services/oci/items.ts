import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import { type ImageName, parseImageName } from './image-name.ts';
import { type Descriptor, type Platform, platformText } from './manifest.ts';

const platform = z
  .string()
  .regex(/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/, 'a platform is os/architecture, as in linux/amd64');
const platforms = z.union([z.literal('all'), z.array(platform).min(1)]);

/** A manifest item: `{ oci: nvcr.io/nvidia/tao:5, platforms: [linux/amd64], referrers: true }`. */
export const itemSchemas = {
  oci: z.strictObject({
    oci: z.string().refine(isImageName, 'an image is host/name:tag or host/name@sha256:…'),
    /** Which images of an index are taken along; its bytes stay as they are. */
    platforms: platforms.optional(),
    /** Signatures, attestations, bills of material: what refers to the image, and what tools keep in tags beside it. */
    referrers: z.boolean().default(true),
  }),
};

function isImageName(text: string): boolean {
  try {
    parseImageName(text);
    return true;
  } catch {
    return false;
  }
}

export interface ImageItem {
  name: ImageName;
  /** Of an index; unset for all of them. */
  platforms: string[] | undefined;
  referrers: boolean;
}

/**
 * @param value what the schema made of an item
 * @param defaults `defaults.platforms` of the manifest, by item type. Throws `bad-request` for those of images.
 */
export function readItem(value: unknown, defaults: Record<string, unknown>): ImageItem {
  const item = value as z.infer<(typeof itemSchemas)['oci']>;
  const fallback = platforms.optional().safeParse(defaults.oci);
  if (!fallback.success)
    throw new MirrorError('bad-request', 'manifest', 'defaults.platforms.oci is a list such as [linux/amd64], or all');
  const chosen = item.platforms ?? fallback.data ?? 'all';
  return {
    name: parseImageName(item.oci),
    platforms: chosen === 'all' ? undefined : chosen,
    referrers: item.referrers,
  };
}

/** True for a platform that is meant by `wanted`; what is wanted without a variant takes every one of them. */
function isMeant(wanted: string, one: Platform): boolean {
  const text = platformText(one);
  return text === wanted || text.startsWith(`${wanted}/`);
}

/**
 * Which manifests of an index an item takes, and the platforms that it leaves out. What has no platform, or the platform
 * "unknown" that build tools give to attestations, belongs to all of them.
 */
export function choosePlatforms(
  manifests: readonly Descriptor[],
  wanted: readonly string[] | undefined,
): { taken: Descriptor[]; left: string[]; lacking: string[] } {
  if (!wanted) return { taken: [...manifests], left: [], lacking: [] };
  const known = (one: Descriptor) => one.platform !== undefined && one.platform.os !== 'unknown';
  const images = manifests.filter((one) => known(one) && wanted.some((text) => isMeant(text, one.platform!)));
  const digests = new Set(images.map(({ digest }) => digest));
  // an attestation says which image it belongs to
  const belongs = (one: Descriptor) => {
    const of = one.annotations?.['vnd.docker.reference.digest'];
    return of === undefined || digests.has(of);
  };
  const taken = manifests.filter((one) => digests.has(one.digest) || (!known(one) && belongs(one)));
  const left = manifests
    .filter((one) => known(one) && !digests.has(one.digest))
    .map((one) => platformText(one.platform!));
  const lacking = wanted.filter((text) => !images.some((one) => isMeant(text, one.platform!)));
  return { taken, left, lacking: manifests.some(known) ? lacking : [] };
}

import { MirrorError } from '../../../shared/model/errors.ts';
import { isDigest } from '../digests.ts';
import { type Descriptor, isForeign, type Manifest, readManifest } from '../manifest.ts';
import { type ArchiveFiles, readDocument, readJson } from './archive-files.ts';
import { type ImageTarget, type Importing, nameless } from './importing.ts';

/** An index in an index in an index. */
const DEEPEST = 5;

interface Index {
  manifests?: Descriptor[];
}

/** What docker writes beside a layout, and instead of one before version 25. */
export interface SavedImage {
  Config?: string;
  RepoTags?: string[] | null;
  Layers?: string[];
}

const blobName = (digest: string) => `blobs/${digest.replace(':', '/')}`;

/** Names in `index.json`, the full one first: the other is often the tag alone. */
const NAMES = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

/**
 * Brings an OCI image layout (image-spec, image-layout.md) in as it is: manifests and blobs keep their bytes, so their
 * digests are those of where they came from. Platforms of an index that the layout has not, or not whole, are left out.
 */
export async function importLayout(importing: Importing, files: ArchiveFiles): Promise<void> {
  const { manifests = [] } = await readJson<Index>(files, 'index.json');
  const saved = files.size('manifest.json') === undefined ? [] : await readJson<SavedImage[]>(files, 'manifest.json');
  const all: Named[] = [];
  for (const one of manifests) all.push(await named(importing, files, one, saved ?? []));
  const images = all.filter(({ belongs }) => !belongs);
  if (importing.as !== undefined && images.length > 1)
    throw new MirrorError(
      'bad-request',
      'archive',
      `${files.label} holds ${images.length} images, and --as gives them one name; import it without, or one by one`,
    );
  const first = images.flatMap(({ targets }) => targets)[0];
  for (const { digest, targets, belongs } of all) {
    // signatures and other companions have no name of their own: they belong to the image they lie beside
    const places = targets.length > 0 ? targets : belongs && first ? [{ ...first, tag: undefined }] : [];
    if (places.length === 0) throw nameless(files.label, digest);
    for (const place of places) await importManifest(importing, files, place, digest);
  }
}

/** An entry of `index.json`. */
interface Named {
  digest: string;
  targets: ImageTarget[];
  /** It is a companion of another one. */
  belongs: boolean;
}

async function named(
  importing: Importing,
  files: ArchiveFiles,
  one: Descriptor,
  saved: readonly SavedImage[],
): Promise<Named> {
  if (!isDigest(one.digest))
    throw new MirrorError('bad-request', 'archive', `${files.label}: index.json names something that has no digest`);
  const { config, subject } = readManifest(await readDocument(files, blobName(one.digest)), one.mediaType);
  const belongs = subject !== undefined;
  const names = belongs ? [] : namesOf(one, config?.digest, saved, importing);
  return { digest: one.digest, belongs, targets: names.map((name) => importing.target(name)) };
}

function namesOf(
  one: Descriptor,
  config: string | undefined,
  saved: readonly SavedImage[],
  importing: Importing,
): readonly string[] {
  if (importing.as !== undefined) return [importing.as];
  const full = NAMES.map((key) => one.annotations?.[key]).find((name) => name !== undefined && /[:/]/.test(name));
  if (full !== undefined) return [full];
  const beside = saved.find(({ Config }) => config !== undefined && Config?.includes(config.slice('sha256:'.length)));
  return beside?.RepoTags ?? importing.otherwise;
}

/** Children first, so that nothing is seen before all of it is there. */
async function importManifest(
  importing: Importing,
  files: ArchiveFiles,
  target: ImageTarget,
  digest: string,
): Promise<void> {
  const missing = await firstMissing(importing, files, digest);
  if (missing !== undefined)
    throw new MirrorError('bad-request', 'archive', `${files.label} lacks ${missing}, which its image ${digest} needs`);
  const bytes = await readDocument(files, blobName(digest));
  const manifest = readManifest(bytes);
  for (const one of manifest.manifests)
    if ((await firstMissing(importing, files, one.digest)) === undefined)
      await importManifest(importing, files, { ...target, tag: undefined }, one.digest);
  for (const one of partsOf(manifest)) {
    const size = files.size(blobName(one.digest));
    if (size !== undefined) await importing.blob(target, one.digest, size, () => files.open(blobName(one.digest)));
  }
  await importing.manifest(target, bytes, { digest, mediaType: manifest.mediaType });
}

/**
 * What a manifest needs and neither the archive nor the store has; undefined where nothing is missing. An index is whole
 * when one of its images is: archives of one platform keep the index of all.
 */
async function firstMissing(
  importing: Importing,
  files: ArchiveFiles,
  digest: string,
  depth = 0,
): Promise<string | undefined> {
  if (depth > DEEPEST)
    throw new MirrorError('bad-request', 'archive', `${files.label}: its indexes are nested too deep`);
  if (files.size(blobName(digest)) === undefined) return digest;
  const manifest = readManifest(await readDocument(files, blobName(digest)));
  for (const one of partsOf(manifest))
    if (files.size(blobName(one.digest)) === undefined && (await importing.images.hasBlob(one.digest)) === undefined)
      return one.digest;
  let missing: string | undefined;
  for (const one of manifest.manifests) {
    missing = await firstMissing(importing, files, one.digest, depth + 1);
    if (missing === undefined) return undefined;
  }
  return missing;
}

/** The blobs of an image that are to be there. */
function partsOf({ config, layers }: Manifest): Descriptor[] {
  return [...(config ? [config] : []), ...layers].filter((one) => !isForeign(one));
}

import { MirrorError } from '../../../shared/model/errors.ts';
import { digestOfBytes } from '../digests.ts';
import { type Descriptor, MEDIA } from '../manifest.ts';
import { type ArchiveFiles, kindOf, readDocument, readJson } from './archive-files.ts';
import { type ImageTarget, type Importing, nameless } from './importing.ts';
import type { SavedImage } from './layout.ts';

const CONFIG = 'application/vnd.docker.container.image.v1+json';
const LAYER = 'application/vnd.docker.image.rootfs.diff.tar';

/**
 * Brings in what `docker save` wrote before version 25, podman's docker-archive and what is like them: a config and
 * layers, and no manifest. One is made; the config keeps its bytes, and so the image its id. The digest of the manifest
 * is a new one: references by digest to where the image came from do not find it.
 */
export async function importDockerArchive(importing: Importing, files: ArchiveFiles): Promise<void> {
  const all = await readJson<SavedImage[]>(files, 'manifest.json');
  if (!Array.isArray(all) || all.length === 0)
    throw new MirrorError('bad-request', 'archive', `${files.label}: its manifest.json lists no image`);
  if (importing.as !== undefined && all.length > 1)
    throw new MirrorError(
      'bad-request',
      'archive',
      `${files.label} holds ${all.length} images, and --as gives them one name; import it without`,
    );
  for (const saved of all) {
    const said = saved.RepoTags?.length ? saved.RepoTags : importing.otherwise;
    const names = importing.as !== undefined ? [importing.as] : said;
    if (names.length === 0) throw nameless(files.label, saved.Config ?? '');
    for (const name of names) await importSaved(importing, files, importing.target(name), saved);
  }
}

async function importSaved(
  importing: Importing,
  files: ArchiveFiles,
  target: ImageTarget,
  saved: SavedImage,
): Promise<void> {
  const config = await readDocument(files, saved.Config ?? '');
  const diffIds = diffIdsIn(config, files.label);
  const paths = saved.Layers ?? [];
  if (paths.length !== diffIds.length)
    throw new MirrorError(
      'bad-request',
      'archive',
      `${files.label}: ${saved.Config} names ${diffIds.length} layers, and manifest.json ${paths.length}`,
    );
  const layers: Descriptor[] = [];
  for (const [index, path] of paths.entries())
    layers.push(await layer(importing, files, target, path, diffIds[index]!));
  const digest = digestOfBytes(config);
  await importing.blob(target, digest, config.length, () => files.open(saved.Config!));
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA.dockerManifest,
    config: { mediaType: CONFIG, size: config.length, digest },
    layers,
  };
  await importing.manifest(target, Buffer.from(JSON.stringify(manifest)), { mediaType: MEDIA.dockerManifest });
}

/** An uncompressed layer is called by its diff id; a compressed one is measured as it comes. */
async function layer(
  importing: Importing,
  files: ArchiveFiles,
  target: ImageTarget,
  path: string,
  diffId: string,
): Promise<Descriptor> {
  const size = files.size(path);
  if (size === undefined)
    throw new MirrorError('bad-request', 'archive', `${files.label} lacks ${path}, which its manifest.json names`);
  const kind = await headKind(files, path);
  if (kind !== 'gzip' && kind !== 'zstd') {
    await importing.blob(target, diffId, size, () => files.open(path));
    return { mediaType: LAYER, size, digest: diffId };
  }
  const digest = await importing.measured(target, size, () => files.open(path));
  return { mediaType: `${LAYER}.${kind}`, size, digest };
}

async function headKind(files: ArchiveFiles, path: string): Promise<ReturnType<typeof kindOf>> {
  for await (const chunk of files.open(path) as AsyncIterable<Buffer>) return kindOf(chunk.subarray(0, 512));
  return 'other';
}

function diffIdsIn(config: Buffer, label: string): string[] {
  try {
    const { rootfs } = JSON.parse(config.toString('utf8')) as { rootfs?: { diff_ids?: unknown } };
    const ids = rootfs?.diff_ids ?? [];
    if (Array.isArray(ids) && ids.every((id) => typeof id === 'string' && /^sha256:[0-9a-f]{64}$/.test(id)))
      return ids as string[];
  } catch {
    // said below
  }
  throw new MirrorError('bad-request', 'archive', `${label}: the config of its image is none`);
}

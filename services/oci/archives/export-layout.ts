import { createHash } from 'node:crypto';
import { pipeline, Readable, Transform } from 'node:stream';
import { MirrorError } from '../../../shared/model/errors.ts';
import { parseImageName } from '../image-name.ts';
import { type ImageRooms, Images } from '../images.ts';
import { choosePlatforms } from '../items.ts';
import { DIGEST_HEADER, linkKey, referrerPrefix, repoKey, tagKey } from '../keys.ts';
import { type Descriptor, isForeign, type Manifest, platformText, readManifest } from '../manifest.ts';
import { allKeys } from '../pages.ts';
import { type LayoutSink, layoutSink } from './layout-sinks.ts';

export interface ExportOptions {
  /** `linux/amd64`; unset for all that are held. */
  platforms?: readonly string[];
  /** Without signatures and other companions. */
  referrers?: boolean;
  signal?: AbortSignal;
  /** Told of every blob that is written. */
  written?(label: string, bytes: number): void;
}

export interface Exported {
  images: { name: string; digest: string }[];
  blobs: number;
  bytes: number;
  /** Manifests of an index that are not held, or were not asked for. */
  leftOut: string[];
}

/** What tools keep beside an image in tags made of its digest. */
const BESIDE = ['', '.sig', '.att', '.sbom'];

/** An export under way. */
interface Exporting {
  rooms: ImageRooms;
  images: Images;
  sink: LayoutSink;
  options: ExportOptions;
  result: Exported;
  /** What `index.json` lists. */
  listed: Descriptor[];
  done: Set<string>;
}

/**
 * Writes images that are held as an OCI image layout (image-spec, image-layout.md): manifests byte for byte, an index of
 * many platforms with those that are here, and what refers to them. Throws `not-held`, `bad-request`.
 * @param to a folder, or a file that ends in `.tar`
 */
export async function exportLayout(
  rooms: ImageRooms,
  names: readonly string[],
  to: string,
  options: ExportOptions = {},
): Promise<Exported> {
  const sink = await layoutSink(to);
  const result: Exported = { images: [], blobs: 0, bytes: 0, leftOut: [] };
  const images = new Images(rooms);
  const exporting: Exporting = { rooms, images, sink, options, result, listed: [], done: new Set() };
  try {
    for (const name of names) await exportImage(exporting, name);
    const again = new Set(exporting.listed.map(identityOf));
    const manifests = [...sink.listed.filter((one) => !again.has(identityOf(one))), ...exporting.listed];
    await sink.finish(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }, null, 2)));
  } catch (error) {
    await sink.abandon();
    throw error;
  }
  return result;
}

/** A name that is exported again means the image of today. */
const identityOf = (one: Descriptor) => one.annotations?.['io.containerd.image.name'] ?? one.digest;

async function exportImage(exporting: Exporting, asked: string): Promise<void> {
  const { repository, tag, digest } = await heldName(exporting, asked);
  const name = digest ? `${repository}@${digest}` : `${repository}:${tag}`;
  const entry = await exporting.rooms.catalog.get(digest ? linkKey(repository, digest) : tagKey(repository, tag!));
  if (!entry)
    throw new MirrorError('not-held', 'image', `${name} is not held; "larder oci export" writes what is here`);
  const root = entry.headers[DIGEST_HEADER] ?? entry.digest;
  const written = await exportManifest(exporting, root);
  if (!written) throw new MirrorError('not-held', 'image', `${name}: nothing of it is held but its name`);
  exporting.result.images.push({ name, digest: root });
  const annotations: Record<string, string> = { 'io.containerd.image.name': name };
  if (tag !== undefined) annotations['org.opencontainers.image.ref.name'] = tag;
  exporting.listed.push({ ...written, annotations });
  if (exporting.options.referrers !== false)
    for (const one of [...exporting.done]) await exportReferrers(exporting, repository, one);
}

/** A name without a host is that of a repository of ours where there is one. */
async function heldName({ rooms }: Exporting, asked: string) {
  const { bare, path, repository, tag, digest } = parseImageName(asked);
  const own = path.replace(/^library\//, '');
  const isOwn = bare && (await rooms.catalog.get(repoKey(own))) !== undefined;
  return { repository: isOwn ? own : repository, digest, tag: digest ? tag : (tag ?? 'latest') };
}

/** Writes a manifest and all of it that is held; undefined when it is not held whole. */
async function exportManifest(exporting: Exporting, digest: string): Promise<Descriptor | undefined> {
  const { images, sink, options, result, done } = exporting;
  const found = await images.manifest(digest);
  if (!found) return undefined;
  const descriptor = { mediaType: found.mediaType, digest, size: found.bytes.length };
  if (done.has(digest)) return descriptor;
  const manifest = readManifest(found.bytes, found.mediaType);
  const blobs = await heldBlobs(exporting, manifest);
  if (!blobs) return undefined;
  for (const { digest: one, size } of blobs) await writeBlob(exporting, one, size);
  const { taken, left, lacking } = choosePlatforms(manifest.manifests, options.platforms);
  if (lacking.length > 0)
    throw new MirrorError('not-held', 'image', `${digest} has no image for ${lacking.join(', ')}`);
  result.leftOut.push(...left);
  let parts = 0;
  for (const one of taken)
    if (await exportManifest(exporting, one.digest)) parts += 1;
    else result.leftOut.push(one.platform ? platformText(one.platform) : one.digest);
  if (manifest.kind === 'index' && manifest.manifests.length > 0 && parts === 0) return undefined;
  done.add(digest);
  if (!(await sink.has(nameOf(digest), found.bytes.length)))
    await sink.write(nameOf(digest), found.bytes.length, () =>
      Promise.resolve(Readable.from([found.bytes], { objectMode: false })),
    );
  return descriptor;
}

/** Of a manifest, with their sizes; undefined when one of them is not here. */
async function heldBlobs(
  { images }: Exporting,
  { config, layers }: Manifest,
): Promise<{ digest: string; size: number }[] | undefined> {
  const held: { digest: string; size: number }[] = [];
  for (const one of [...(config ? [config] : []), ...layers]) {
    const size = await images.hasBlob(one.digest);
    if (size !== undefined) held.push({ digest: one.digest, size });
    else if (!isForeign(one)) return undefined;
  }
  return held;
}

async function writeBlob({ images, sink, options, result }: Exporting, digest: string, size: number): Promise<void> {
  options.signal?.throwIfAborted();
  if (await sink.has(nameOf(digest), size)) return;
  await sink.write(nameOf(digest), size, async () => checked(await images.openBlob(digest), digest));
  result.blobs += 1;
  result.bytes += size;
  options.written?.(digest, size);
}

/** What leaves the house is what its name says. Throws `corrupt` at the end of other bytes. */
function checked(body: Readable, digest: string): Readable {
  const [algorithm, hex] = digest.split(':') as [string, string];
  const hash = createHash(algorithm);
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      const right = hash.digest('hex') === hex;
      const why = `${digest} is damaged in the store; "larder store verify --remove" finds all that are`;
      done(right ? null : new MirrorError('corrupt', 'blob', why));
    },
  });
  // an error of either ends both; the reader hears of it
  pipeline(body, check, () => {});
  return check;
}

/** What says of itself that it belongs to a manifest, and what lies in tags beside it. */
async function exportReferrers(exporting: Exporting, repository: string, subject: string): Promise<void> {
  const { rooms, listed, done } = exporting;
  for (const digest of await allKeys(rooms.catalog, referrerPrefix(repository, subject))) {
    const written = done.has(digest) ? undefined : await exportManifest(exporting, digest);
    if (!written) continue;
    listed.push(written);
    await exportReferrers(exporting, repository, digest);
  }
  for (const suffix of BESIDE) {
    const tag = `${subject.replace(':', '-')}${suffix}`;
    const entry = await rooms.catalog.get(tagKey(repository, tag));
    const written = entry && (await exportManifest(exporting, entry.headers[DIGEST_HEADER] ?? entry.digest));
    if (written) listed.push({ ...written, annotations: { 'io.containerd.image.name': `${repository}:${tag}` } });
  }
}

const nameOf = (digest: string) => `blobs/${digest.replace(':', '/')}`;

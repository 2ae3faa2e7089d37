import { readBody } from '../../shared/http/read-body.ts';
import { sendBytes } from '../../shared/http/send.ts';
import type { Document } from '../../shared/mirror/resource.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { isKind } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { type Asked, pathOf, type Rooms, sendEmpty } from './asked.ts';
import { checkDigest, isDigest } from './digests.ts';
import { OciError } from './errors.ts';
import { DIGEST_HEADER, linkKey, manifestKey, referrerKey, tagKey, tagPrefix } from './keys.ts';
import { readManifest } from './manifest.ts';
import { missing, wantedPlatform } from './missing.ts';
import type { Repository } from './repositories.ts';
import { checkTag, isTag } from './repository-name.ts';

/** What an origin says when it does not know, or does not care. */
const GENERIC = /^(application\/(json|octet-stream)|text\/)/;
const FOREVER = 'max-age=31536000, immutable';

/** The digest by which an entry's manifest is called. */
export function digestIn(entry: Entry): string {
  return entry.headers[DIGEST_HEADER] ?? entry.digest;
}

export function mediaTypeIn({ entry, bytes }: Pick<Document, 'entry' | 'bytes'>): string {
  return GENERIC.test(entry.mediaType) ? readManifest(bytes).mediaType : entry.mediaType;
}

/** The name of what a tag or a digest means; a tag that was pushed here over an origin's is ours. */
export async function manifestRef({ refs, context }: Rooms, repository: Repository, reference: string): Promise<Ref> {
  if (reference.includes(':')) return refs.manifest(repository, checkDigest(reference));
  if (!isTag(reference)) throw noManifest(repository, reference);
  const ref = refs.tag(repository, reference);
  if (!repository.registry) return ref;
  const held = await context.catalog.get(ref.key);
  return held?.origin === 'upload' ? { ...ref, source: '', origin: '' } : ref;
}

function noManifest({ name }: Repository, reference: string): OciError {
  return new OciError('not-found', 'manifest', `${name} has no manifest "${reference.slice(0, 200)}"`, {
    code: 'MANIFEST_UNKNOWN',
  });
}

/**
 * GET and HEAD of a manifest (distribution-spec, spec.md#pulling-manifests). A HEAD reads it whole, too: whoever asks
 * for a tag's digest asks for that manifest next, and the tag must be known when the origin is gone.
 */
export async function getManifest(rooms: Rooms, asked: Asked): Promise<void> {
  const { req, res, address, repository } = asked;
  const ref = await wantedPlatform(rooms, repository, await manifestRef(rooms, repository, address.reference));
  const document = await rooms.context.mirror.read(ref).catch((error) => missing(rooms, asked, ref, error));
  const { entry, bytes, served } = document;
  const digest = isDigest(address.reference) ? address.reference : digestIn(entry);
  await sendBytes(
    req,
    res,
    bytes,
    { mediaType: mediaTypeIn(document), etag: `"${digest}"`, headers: {} },
    {
      served,
      cacheControl: digest === address.reference ? FOREVER : 'no-cache',
      // main: "A GET or HEAD request … MUST … Docker-Content-Digest"
      headers: { [DIGEST_HEADER]: digest },
    },
  );
}

/** PUT of a manifest (spec.md#pushing-manifests). */
export async function putManifest(rooms: Rooms, asked: Asked): Promise<void> {
  const { req, res, address, repository } = asked;
  const { reference, query } = address;
  const digest = reference.includes(':') ? checkDigest(reference) : undefined;
  const tags = digest === undefined ? [checkTag(reference)] : query.getAll('tag').map(checkTag);
  const bytes = await readBody(req, rooms.context.config.manifestBytes, 'manifest');
  const mediaType = req.headers['content-type'] ?? '';
  const put = () =>
    rooms.images.putManifest(repository.name, bytes, {
      mediaType,
      tags,
      digest: digest ?? query.get('digest') ?? undefined,
      origin: 'upload',
      local: repository.registry === undefined,
    });
  const kept = await put().catch(async (error) => {
    await bringBlobs(rooms, repository, error);
    return put();
  });
  rooms.context.log.info(
    { event: 'push', repository: repository.name, digest: kept.digest, tags, by: req.identity?.name },
    'manifest pushed',
  );
  if (digest !== undefined && tags.length > 0) res.setHeader('oci-tag', tags);
  sendEmpty(res, 201, {
    location: pathOf(asked, `manifests/${kept.digest}`),
    [DIGEST_HEADER]: kept.digest,
    // "a registry that supports the referrers API MUST include … OCI-Subject"
    ...(kept.subject ? { 'oci-subject': kept.subject } : {}),
  });
}

/**
 * Until its first push a bare name means an origin's, and clients who ask before they log in (oras) are told of blobs
 * that lie there, and do not send them. What was said to be here is made true; else the refusal stands.
 */
async function bringBlobs({ repositories, refs, context }: Rooms, repository: Repository, refusal: unknown) {
  const { code, detail } = refusal instanceof OciError ? refusal.details : {};
  const lacking = code === 'MANIFEST_BLOB_UNKNOWN' ? detail : undefined;
  const elsewhere = repository.registry ? undefined : repositories.elsewhere(repository.name);
  if (!lacking || !elsewhere || context.listing === 'held') throw refusal;
  for (const { digest } of lacking as { digest: string }[])
    await context.mirror.hold(refs.blob(elsewhere, digest)).catch(() => {
      throw refusal;
    });
}

/** DELETE of a tag, or of a manifest with all its tags (spec.md#content-management). */
export async function deleteManifest(rooms: Rooms, asked: Asked): Promise<void> {
  const { res, address, repository, req } = asked;
  const { reference } = address;
  const { catalog, log } = rooms.context;
  if (!reference.includes(':')) {
    const key = tagKey(repository.name, reference);
    if (!isTag(reference) || !(await catalog.get(key))) throw noManifest(repository, reference);
    await catalog.delete(key);
  } else await deleteByDigest(rooms, repository, checkDigest(reference));
  log.info({ event: 'delete', repository: repository.name, reference, by: req.identity?.name }, 'manifest deleted');
  sendEmpty(res, 202, {});
}

async function deleteByDigest({ context }: Rooms, repository: Repository, digest: string): Promise<void> {
  const { catalog, mirror } = context;
  const link = await catalog.get(linkKey(repository.name, digest));
  const held = link ?? (repository.registry ? await catalog.get(manifestKey(digest)) : undefined);
  if (!held) throw noManifest(repository, digest);
  for (const entry of await catalog.list(tagPrefix(repository.name)))
    if (digestIn(entry) === digest) await catalog.delete(entry.key);
  const ref = {
    key: held.key,
    subject: 'manifest',
    label: digest,
    source: '',
    origin: '',
    freshness: 'immutable',
  } as const;
  const manifest = await mirror.read(ref).then(
    ({ bytes }) => readManifest(bytes),
    (error) => {
      if (isKind(error, 'bad-request', 'corrupt')) return undefined;
      throw error;
    },
  );
  if (manifest?.subject) await catalog.delete(referrerKey(repository.name, manifest.subject.digest, digest));
  await catalog.delete(linkKey(repository.name, digest));
  if (repository.registry) await catalog.delete(manifestKey(digest));
}

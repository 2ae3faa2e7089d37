import { MirrorError } from '../../../shared/model/errors.ts';
import type { LocalDocument } from '../local-document.ts';
import { isVersion, tarballName } from '../package-name.ts';
import type { VersionManifest } from '../packument.ts';
import type { Upload } from './unit.ts';

type Json = Record<string, unknown>;

/** What `npm publish` sends: one version, with its tags and its tarball. */
export interface Publication {
  name: string;
  version: string;
  manifest: VersionManifest;
  tags: Record<string, string>;
  body: Json;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads the body of a publish, and puts it into the one form that Verdaccio knows: what clients call the tarball
 * differs, and beside it npm may send what proves where it was built, which is not kept here.
 * Throws `bad-request` for what is no publish of `name`.
 */
export function readPublication(name: string, body: Json): Publication {
  if (body.name !== name || (body._id !== undefined && body._id !== name))
    throw wrong(`the document names "${short(body.name)}", and the address "${name}"`);
  const versions = isObject(body.versions) ? Object.entries(body.versions) : [];
  const [version, manifest] = versions[0] ?? ['', undefined];
  if (versions.length !== 1 || !isObject(manifest)) throw wrong('one version is published at a time');
  if (!isVersion(version)) throw wrong(`"${short(version)}" is no version; write 1.2.3 or 1.2.3-rc.1`);
  if (manifest.name !== name || manifest.version !== version)
    throw wrong(`its package.json says ${short(manifest.name)}@${short(manifest.version)}`);
  const [attachment] = tarballsOf(body);
  if (!attachment) throw wrong('it comes with no tarball');
  if (!isObject(manifest.dist) || typeof manifest.dist.tarball !== 'string') throw wrong('its "dist" names no tarball');
  const file = tarballName(name, version);
  manifest.dist.tarball = manifest.dist.tarball.replace(/[^/]*$/, file);
  body._attachments = { [file]: attachment };
  const tags = tagsOf(body['dist-tags'], version);
  body['dist-tags'] = tags;
  return { name, version, manifest: manifest as VersionManifest, tags, body };
}

function tarballsOf(body: Json): Json[] {
  const all = isObject(body._attachments) ? Object.entries(body._attachments) : [];
  const tarballs = all.filter(([file]) => file.endsWith('.tgz')).map(([, attachment]) => attachment);
  if (tarballs.length > 1) throw wrong('it comes with more than one tarball');
  return tarballs.filter((attachment): attachment is Json => {
    if (!isObject(attachment) || typeof attachment.data !== 'string') return false;
    const { data, length } = attachment;
    const bytes = Buffer.byteLength(data, 'base64');
    if (typeof length === 'number' && length !== bytes)
      throw wrong(`its tarball has ${bytes} bytes, and ${length} were announced; publish it again`);
    return true;
  });
}

/** npm: "Tags must not be a valid semver range"; those that look like versions are all that anybody would confuse. */
const TAG = /^(?!__proto__$)[\w.~!'()*@+-]{1,128}$/;

/** Throws `bad-request` for what is no tag, or points at nothing that is a version. */
export function checkTags(tags: unknown): asserts tags is Record<string, string> {
  if (!isObject(tags) || Object.keys(tags).length === 0) throw wrongTag('the body says no tags');
  for (const [tag, version] of Object.entries(tags)) {
    if (!TAG.test(tag) || isVersion(tag.replace(/^v/, ''))) throw wrongTag(`"${short(tag)}" is no name of a tag`);
    if (typeof version !== 'string' || !isVersion(version))
      throw wrongTag(`the tag "${tag}" points at "${short(version)}", which is no version`);
  }
}

function wrongTag(message: string): MirrorError {
  return new MirrorError('bad-request', 'tag', message);
}

/** Tags that point at this version: it is the only one there is to point at. */
function tagsOf(said: unknown, version: string): Record<string, string> {
  const tags = isObject(said) && Object.keys(said).length > 0 ? said : { latest: version };
  checkTags(tags);
  for (const [tag, to] of Object.entries(tags))
    if (to !== version) throw wrong(`the tag "${tag}" points at ${to}, which is not what is published`);
  return tags;
}

/** Compares the bytes that arrived with what their package says of them. Throws `bad-request`. */
export function checkUpload({ manifest, name, version }: Publication, upload: Upload): void {
  const { integrity = '', shasum } = manifest.dist;
  const promised = [...integrity.matchAll(/(?:^|\s)sha512-([A-Za-z0-9+/=]+)/g)].map(([, base64]) => base64);
  const isRight = promised.length === 0 || promised.includes(upload.sha512);
  if (isRight && (shasum === undefined || shasum.toLowerCase() === upload.shasum)) return;
  throw wrong(`the tarball of ${name}@${version} is not the one that its "dist" describes; pack it anew`);
}

/** Writes a publication into the document. Throws `conflict` when the version is there. */
export function applyPublication(
  document: LocalDocument,
  publication: Publication,
  made: { manifest: VersionManifest; readme: unknown; upload: Upload; at: string; user: string },
): void {
  const { name, version, tags, body } = publication;
  if (Object.hasOwn(document.versions, version)) throw exists(name, version);
  const { sha512, ...attachment } = made.upload;
  const publisher = { name: made.user, email: '' };
  const manifest = { _npmUser: publisher, ...made.manifest };
  manifest.dist = { integrity: `sha512-${sha512}`, ...manifest.dist, shasum: attachment.shasum };
  document.versions[version] = manifest;
  document._attachments[tarballName(name, version)] = { ...attachment, version };
  document.time[version] = made.at;
  Object.assign(document['dist-tags'], tags);
  // "latest" is where everybody looks: the first version is it, whatever its tag
  document['dist-tags'].latest ??= version;
  if (typeof made.readme === 'string' && made.readme !== '') document.readme = made.readme;
  if (typeof body.description === 'string') document.description = body.description;
  document.maintainers ??= Array.isArray(body.maintainers) ? body.maintainers : [publisher];
}

/** npm shows the words; a 409 is how other tools know. */
export function exists(name: string, version: string): MirrorError {
  return new MirrorError(
    'conflict',
    'version',
    `${name}@${version} is already published here; a version is never replaced, publish it under a new one`,
  );
}

function wrong(what: string): MirrorError {
  return new MirrorError('bad-request', 'package', `this cannot be published: ${what}`);
}

function short(value: unknown): string {
  return String(value).slice(0, 100);
}

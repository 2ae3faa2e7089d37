import type { Request, Response } from 'express';
import { baseUrl } from '../../shared/http/base-url.ts';
import { CodedBody, sendCoded } from '../../shared/http/coded-body.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { attestationsUrl, tarballUrl } from './address.ts';
import { isVersion } from './package-name.ts';
import type { Dist, VersionManifest } from './packument.ts';
import type { Rooms } from './rooms.ts';

/** `/<name>/<version or tag>`: one version (https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md#getpackageversion). */
export async function answerVersion(
  rooms: Rooms,
  req: Request,
  res: Response,
  { name, version: asked }: { name: string; version: string },
): Promise<void> {
  const { packages, context } = rooms;
  // a tag cannot look like a version, so that a version need not be looked for among them
  const version = isVersion(asked) ? asked : await tagged(rooms, name, asked);
  const { record } = await packages.record(name, version);
  const base = baseUrl(req, context.publicUrl);
  const manifest: VersionManifest = { ...record.manifest, dist: withOurAddresses(record.manifest, base) };
  await sendCoded(req, res, new CodedBody(JSON.stringify(manifest)), 'application/json', { cacheControl: 'no-cache' });
}

async function tagged({ packages }: Rooms, name: string, tag: string): Promise<string> {
  const found = await packages.find(name);
  const version = Object.hasOwn(found.tags, tag) ? found.tags[tag] : undefined;
  if (version !== undefined) return version;
  const known = Object.keys(found.tags).slice(0, 20).join(', ');
  throw new MirrorError('not-found', 'tag', `"${name}" has no tag "${tag.slice(0, 200)}" here; it has ${known}`);
}

function withOurAddresses({ name, version, dist }: VersionManifest, base: string): Dist {
  const { attestations } = dist;
  return {
    ...dist,
    tarball: tarballUrl(base, name, version),
    ...(typeof attestations === 'object' && attestations !== null && 'url' in attestations
      ? { attestations: { ...attestations, url: attestationsUrl(base, name, version) } }
      : {}),
  };
}

import type { Request, RequestHandler, Response } from 'express';
import { send, sendFacts } from '../../shared/http/send.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { recordOf } from './held-files.ts';
import { metadataResource } from './metadata.ts';
import type { Origins } from './origins.ts';
import { normalizeName, parseFilename, projectsOf } from './project-name.ts';
import type { FileRecord } from './project-page.ts';
import type { Projects } from './projects.ts';
import { type FileAddress, fileKey, fileRef, PRIVATE, packagesPath, parseFileAddress, provenanceRef } from './refs.ts';

export interface FileRooms {
  context: Context<PypiConfig>;
  projects: Projects;
  origins: Origins;
}

/** A file's name says its bytes: whoever has it need not ask again. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

interface Found {
  origin: string;
  project: string;
  record: FileRecord;
}

/** `/packages/…` and `/files/…`: wheels, sdists, and `.metadata` beside wheels. */
export function fileHandler(rooms: FileRooms): RequestHandler {
  return async (req, res) => {
    const address = parseFileAddress(req.path);
    if (!address)
      throw new MirrorError('not-found', 'file', `${JSON.stringify(req.path.slice(0, 300))} is no address of a file`);
    const found = await find(rooms, address);
    if (address.what === 'metadata') await answerMetadata(req, res, rooms, found);
    else await answerFile(req, res, rooms, found);
  };
}

/** What is held is found by its name alone; else the project's page says what the file must be. */
async function find(rooms: FileRooms, address: FileAddress): Promise<Found> {
  rooms.projects.check(address.project);
  const all = [PRIVATE, ...(await rooms.origins.list()).map((origin) => origin.name)];
  const origins = address.origin === undefined ? all.slice(1) : all.filter((name) => name === address.origin);
  // the name of an sdist does not always tell where that of its project ends
  const names = address.path === undefined ? [address.project] : projectsOf(address.filename);
  const found = (await findHeld(rooms, address, names, origins)) ?? (await findListed(rooms, address, names, origins));
  if (found) return found;
  const { filename } = address;
  if (address.origin === PRIVATE) throw new MirrorError('not-found', 'file', `${filename} was not uploaded here`);
  if (rooms.context.listing === 'all' || origins.length === 0)
    throw new MirrorError('not-found', 'file', `${filename} is on no page of the project "${address.project}"`);
  throw await wanted(rooms, address);
}

async function findHeld(
  { context }: FileRooms,
  address: FileAddress,
  names: readonly string[],
  origins: readonly string[],
): Promise<Found | undefined> {
  for (const project of names) {
    for (const origin of origins) {
      const entry = await context.catalog.get(fileKey(origin, project, address.filename));
      const record = entry && recordOf(entry);
      if (record && isAt(record, address)) return { origin, project, record };
    }
  }
  return undefined;
}

/** Looks on pages: on the one that everybody sees, then, since its path tells a file from all others, on each index's own. */
async function findListed(
  { context, projects }: FileRooms,
  address: FileAddress,
  names: readonly string[],
  origins: readonly string[],
): Promise<Found | undefined> {
  // pages list what is held, and that was looked for
  if (context.listing === 'held' || address.origin === PRIVATE) return undefined;
  const views = address.path === undefined ? origins : [undefined, ...origins];
  for (const project of names) {
    for (const view of views) {
      const offered = await projects.find(project, view).catch((error) => {
        if (isKind(error, 'not-found')) return undefined;
        throw error;
      });
      const record = offered?.page.files.find((file) => file.filename === address.filename && isAt(file, address));
      if (offered && record) return { origin: offered.origin, project, record };
    }
  }
  return undefined;
}

function isAt(record: FileRecord, address: FileAddress): boolean {
  return address.path === undefined || packagesPath(record.url) === address.path;
}

async function wanted({ context, origins }: FileRooms, address: FileAddress): Promise<MirrorError> {
  const { project, version, filename } = address;
  const item = { python: `${project}==${version}` };
  // under the name that the file will have when a bundle brings it: the want is over then
  const origin = address.origin ?? (await origins.list())[0]!.name;
  await context.wants.record({ key: fileKey(origin, project, filename), label: filename, item });
  return new MirrorError(
    'not-held',
    'file',
    `${filename} is not held here. It was put on the list of wants for the next bundle`,
  );
}

async function answerFile(
  req: Request,
  res: Response,
  { context }: FileRooms,
  { origin, project, record }: Found,
): Promise<void> {
  const ref = fileRef(origin, project, record);
  const options = { cacheControl: IMMUTABLE };
  if (req.method === 'HEAD') {
    const { facts, served } = await context.mirror.describe(ref);
    return sendFacts(req, res, { ...facts, etag: etagOf(record, facts.etag) }, { ...options, served });
  }
  const resource = await context.mirror.open(ref);
  const facts = { ...resource.facts, etag: etagOf(record, resource.facts.etag) };
  await send(req, res, { ...resource, facts }, options);
}

/** The same for a file that is arriving and one that is held, so that a client can go on with either. */
function etagOf(record: FileRecord, originTag: string | undefined): string | undefined {
  return record.hashes.sha256 ? `"${record.hashes.sha256}"` : originTag;
}

async function answerMetadata(
  req: Request,
  res: Response,
  { context }: FileRooms,
  { origin, project, record }: Found,
): Promise<void> {
  const resource = await metadataResource(context, origin, project, record);
  const { digest, size } = resource.facts as { digest?: string; size?: number };
  const facts = { ...resource.facts, size, etag: digest ? `"${digest.slice('sha256:'.length)}"` : resource.facts.etag };
  await send(req, res, { ...resource, facts }, { cacheControl: IMMUTABLE });
}

/** `/integrity/<project>/<version>/<filename>/provenance` (PEP 740). */
export function provenanceHandler({ context, projects }: FileRooms): RequestHandler {
  return async (req, res) => {
    const { project: asked, version, filename } = req.params as { project: string; version: string; filename: string };
    const project = normalizeName(asked);
    const offered = await projects.find(project);
    const record = offered.page.files.find((file) => file.filename === filename);
    if (!record?.provenance || parseFilename(filename, project)?.version !== version)
      throw new MirrorError('not-found', 'file', `there is no provenance for ${filename.slice(0, 300)}`);
    const ref = provenanceRef(offered.origin, project, { ...record, provenance: record.provenance });
    await send(req, res, await context.mirror.open(ref), { cacheControl: 'public, max-age=600' });
  };
}

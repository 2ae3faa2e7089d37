import type { Request, RequestHandler, Response } from 'express';
import { send, sendFacts } from '../../shared/http/send.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { metadataResource } from './metadata.ts';
import type { Origins } from './origins.ts';
import type { FileRecord } from './project-page.ts';
import { type Projects, recordOf } from './projects.ts';
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
  const held = await findHeld(rooms, address);
  if (held) return held;
  const { project, filename } = address;
  if (address.origin === PRIVATE) throw new MirrorError('not-found', 'file', `${filename} was not uploaded here`);
  const offered = await rooms.projects.find(project, address.origin).catch((error) => {
    if (isKind(error, 'not-held', 'not-found'))
      throw new MirrorError(error.kind, 'file', `${filename}: ${error.message}`, { cause: error });
    throw error;
  });
  const record = offered.page.files.find((file) => file.filename === filename && isAt(file, address));
  if (record) return { origin: offered.origin, project, record };
  throw await notListed(rooms, address);
}

async function findHeld({ context, origins }: FileRooms, address: FileAddress): Promise<Found | undefined> {
  const { project, filename } = address;
  const candidates = address.origin ? [address.origin] : (await origins.list()).map((origin) => origin.name);
  for (const origin of candidates) {
    const entry = await context.catalog.get(fileKey(origin, project, filename));
    const record = entry && recordOf(entry);
    if (record && isAt(record, address)) return { origin, project, record };
  }
  return undefined;
}

function isAt(record: FileRecord, address: FileAddress): boolean {
  return address.path === undefined || packagesPath(record.url) === address.path;
}

/** Without a network the page lists what is held, so what is not on it is to be wanted; else it does not exist. */
async function notListed({ context }: FileRooms, { project, version, filename }: FileAddress): Promise<MirrorError> {
  if (context.listing === 'all')
    return new MirrorError('not-found', 'file', `${filename} is not on the page of the project "${project}"`);
  const item = { python: `${project}==${version}` };
  await context.wants.record({ key: `file/${project}/${filename}`, label: filename, item });
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
    const { project, filename } = req.params as { project: string; filename: string };
    const offered = await projects.find(project);
    const record = offered.page.files.find((file) => file.filename === filename);
    if (!record?.provenance)
      throw new MirrorError('not-found', 'file', `there is no provenance for ${filename.slice(0, 300)}`);
    const ref = provenanceRef(offered.origin, project, { ...record, provenance: record.provenance });
    await send(req, res, await context.mirror.open(ref), { cacheControl: 'public, max-age=600' });
  };
}

import type { RequestHandler } from 'express';
import { negotiateEncoding } from '../../shared/http/accept.ts';
import { CODINGS, type Coding } from '../../shared/http/coded-body.ts';
import { send } from '../../shared/http/send.ts';
import { digestOf, hexOf } from '../../shared/model/digest.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { chooseFormat } from './formats.ts';
import type { Origin, Origins } from './origins.ts';
import { pageOptions } from './pages.ts';
import { addressOf, isJson, serialOf } from './parsed-pages.ts';
import { PRIVATE, pageRef } from './refs.ts';
import { RootDocuments, type RootParts } from './root-documents.ts';

interface RootRooms {
  context: Context<PypiConfig>;
  origins: Origins;
}

/** Milliseconds for which nothing is looked up again while no name has changed. */
const TRUSTED = 1000;

/** `/simple/` and `/<index>/simple/`: every name that can be asked for. */
export function rootList({ context, origins }: RootRooms): RequestHandler {
  const documents = new RootDocuments(context);
  const looked = new Map<string, { at: number; generation: number; parts: RootParts }>();
  const partsFor = async (index: string | undefined): Promise<RootParts> => {
    const generation = context.catalog.generation();
    const known = looked.get(index ?? '');
    const age = known ? context.now() - known.at : -1;
    if (known?.generation === generation && age >= 0 && age < TRUSTED) return known.parts;
    const parts = await partsOf(context, await chosen(origins, index, context), index);
    looked.set(index ?? '', { at: context.now(), generation: context.catalog.generation(), parts });
    return parts;
  };
  return async (req, res) => {
    const { index } = req.params as { index?: string };
    const { format, contentType } = chooseFormat(req.headers.accept, req.query.format);
    const coding = negotiateEncoding(req.headers['accept-encoding'] as string | undefined, CODINGS) as Coding;
    const parts = await partsFor(index);
    const resource = await documents.open(parts, format, coding, contentType);
    const encoding = coding === 'identity' ? undefined : coding;
    await send(req, res, resource, { ...pageOptions(context.config.pageSeconds, parts.serial), encoding });
  };
}

/** The origins whose names are listed. Throws `not-found` for an index that is none. */
async function chosen(origins: Origins, index: string | undefined, context: Context<PypiConfig>): Promise<Origin[]> {
  if (index === PRIVATE) return [];
  // what was uploaded is listed also where nobody can tell the default origin
  const all = await origins.list().catch((error: Error) => {
    context.log.warn({ event: 'root-list', reason: error.message }, 'the origins are not known');
    return [];
  });
  const found = all.filter((origin) => index === undefined || origin.name === index);
  if (index !== undefined && found.length === 0)
    throw new MirrorError('not-found', 'index', `there is no index "${index.slice(0, 100)}" here`);
  return found;
}

async function partsOf(
  context: Context<PypiConfig>,
  origins: readonly Origin[],
  index: string | undefined,
): Promise<RootParts> {
  const asks = context.listing === 'all' && context.config.rootList === 'all';
  const found = asks ? await Promise.all(origins.map((origin) => listOf(context, origin))) : [];
  const lists = found.filter((list) => list !== undefined);
  const names = await heldNames(context, origins, index);
  const serial = lists.map(({ entry }) => serialOf(entry)).find((one) => one !== undefined);
  const told = [names, serial, lists.map(({ entry, source }) => [entry.digest, source])];
  return { lists, names, serial, stamp: hexOf(digestOf(JSON.stringify(told))).slice(0, 32) };
}

/** What was uploaded here, and what came from the origins. */
async function heldNames(
  { catalog }: Context<PypiConfig>,
  origins: readonly Origin[],
  index: string | undefined,
): Promise<string[]> {
  const owners = origins.map(({ name }) => name);
  if (index === undefined || index === PRIVATE) owners.push(PRIVATE);
  const names = await Promise.all(owners.map((owner) => catalog.segments(`file/${owner}/`)));
  return [...new Set(names.flat())].sort();
}

/** An origin whose list cannot be had takes nothing away from the others. */
async function listOf(context: Context<PypiConfig>, origin: Origin): Promise<RootParts['lists'][number] | undefined> {
  try {
    const { entry } = await context.mirror.hold(pageRef(origin, '', context.config));
    const source = { url: addressOf(entry), json: isJson(entry), flat: origin.kind === 'find-links' };
    return { origin: origin.name, entry, source };
  } catch (error) {
    context.log.warn(
      { event: 'root-list', origin: origin.name, reason: (error as Error).message },
      'the list of an origin could not be read',
    );
    return undefined;
  }
}

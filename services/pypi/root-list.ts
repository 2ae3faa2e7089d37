import type { RequestHandler } from 'express';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { chooseFormat, type Format } from './formats.ts';
import type { Origin, Origins } from './origins.ts';
import { sendPage } from './pages.ts';
import { parseHtmlRoot, projectNames } from './parse-html.ts';
import { parseJsonRoot } from './parse-json.ts';
import { PRIVATE, pageRef } from './refs.ts';
import { renderHtmlRoot, renderJsonRoot } from './render.ts';
import { RenderedPage, type RenderedPages } from './rendered-pages.ts';

/** The list of a whole index: tens of megabytes. */
const MOST_BYTES = 512 << 20;

interface RootRooms {
  context: Context<PypiConfig>;
  origins: Origins;
  pages: RenderedPages;
}

/** `/simple/` and `/<index>/simple/`: every name that can be asked for. */
export function rootList(rooms: RootRooms): RequestHandler {
  return async (req, res) => {
    const { index } = req.params as { index?: string };
    const { format, contentType } = chooseFormat(req.headers.accept, req.query.format);
    const key = `${format} ${index ?? ''} /`;
    const generation = rooms.context.catalog.generation();
    const page = rooms.pages.trusted(key, generation) ?? (await render(rooms, key, index, format));
    await sendPage(req, res, page, contentType, rooms.context.config.pageSeconds);
  };
}

async function render(rooms: RootRooms, key: string, index: string | undefined, format: Format): Promise<RenderedPage> {
  const all = await rooms.origins.list().catch(() => []);
  const origins = all.filter((origin) => index === undefined || origin.name === index);
  const names = new Set(await heldNames(rooms.context, origins));
  const { listing, config } = rooms.context;
  let serial: number | undefined;
  let stamp = '';
  if (listing === 'all' && config.rootList === 'all') {
    for (const origin of origins) {
      const list = await originNames(rooms.context, origin);
      for (const name of list?.names ?? []) names.add(name);
      serial ??= list?.serial;
      stamp += `${list?.stamp ?? ''} `;
    }
  }
  const sorted = [...names].sort();
  const text = format === 'json' ? renderJsonRoot(sorted, serial) : renderHtmlRoot(sorted);
  const generation = rooms.context.catalog.generation();
  return rooms.pages.current(
    key,
    `${stamp}${generation}`,
    generation,
    () => new RenderedPage(`${stamp}${generation}`, text, format, serial),
  );
}

/** What was uploaded here, and what came from the origins. */
async function heldNames({ catalog }: Context<PypiConfig>, origins: readonly Origin[]): Promise<string[]> {
  const names = await catalog.segments(`file/${PRIVATE}/`);
  for (const { name } of origins) names.push(...(await catalog.segments(`file/${name}/`)));
  return names;
}

/** An origin whose list cannot be had takes nothing away from the others. */
async function originNames(
  context: Context<PypiConfig>,
  origin: Origin,
): Promise<{ names: string[]; serial: number | undefined; stamp: string } | undefined> {
  try {
    const { entry, bytes } = await context.mirror.read(pageRef(origin, '', context.config), { maxBytes: MOST_BYTES });
    const url = entry.headers['x-larder-url'] ?? entry.origin;
    const found = /[+/]json/.test(entry.mediaType)
      ? parseJsonRoot(bytes, url)
      : parseHtmlRoot(bytes, url, origin.kind === 'find-links');
    const serial = Number(entry.headers['x-pypi-last-serial']);
    return { names: projectNames(found), serial: Number.isInteger(serial) ? serial : undefined, stamp: entry.digest };
  } catch (error) {
    context.log.warn(
      { event: 'root-list', origin: origin.name, reason: (error as Error).message },
      'the list of an origin could not be read',
    );
    return undefined;
  }
}

import type { Request, RequestHandler, Response } from 'express';
import { baseUrl } from '../../shared/http/base-url.ts';
import { CodedBody, sendCoded } from '../../shared/http/coded-body.ts';
import type { RenderedDocuments } from '../../shared/http/rendered-documents.ts';
import type { SendOptions } from '../../shared/http/send.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { chooseFormat, type Format } from './formats.ts';
import { asOf, momentOf } from './policy.ts';
import { isName, normalizeName, parseFilename } from './project-name.ts';
import type { Project, Projects } from './projects.ts';
import { filePath } from './refs.ts';
import { type Links, renderHtmlPage, renderJsonPage } from './render.ts';

export interface PageRooms {
  context: Context<PypiConfig>;
  projects: Projects;
  pages: RenderedDocuments<RenderedPage>;
}

/** A page in one format. */
export class RenderedPage extends CodedBody {
  /** `X-PyPI-Last-Serial`, where the origin tells one. */
  readonly serial: number | undefined;

  constructor(text: string, serial: number | undefined) {
    super(text);
    this.serial = serial;
  }
}

/** Which view of the index a page is of. */
interface View {
  /** One origin alone. */
  index?: string;
  /** As it was then. Milliseconds. */
  moment?: number;
  /** From the page to the root of the index. */
  up: string;
}

/** `/simple/<project>/`, `/<index>/simple/<project>/`, and `/at/<date>/simple/<project>/` as it was then. */
export function projectPage(rooms: PageRooms): RequestHandler {
  return async (req, res) => {
    const { project: asked, index, date } = req.params as { project: string; index?: string; date?: string };
    const view = viewOf(index, date);
    const name = normalizeName(asked);
    if (!isName(asked))
      throw new MirrorError('not-found', 'project', `"${asked.slice(0, 200)}" is no name of a project`);
    if (name !== asked || !req.path.endsWith('/')) return moved(req, res, name);
    const { format, contentType } = chooseFormat(req.headers.accept, req.query.format);
    const base = baseUrl(req, rooms.context.publicUrl);
    const key = `${format} ${index ?? ''} ${view.moment ?? ''} ${name} ${base}`;
    const generation = rooms.context.catalog.generation();
    const page = rooms.pages.trusted(key, generation) ?? (await render(rooms, key, name, view, format, base));
    await sendPage(req, res, page, contentType, rooms.context.config.pageSeconds);
  };
}

/** Throws `not-found` for a date that is none. */
export function viewOf(index: string | undefined, date: string | undefined): View {
  if (date === undefined) return { index, up: index === undefined ? '../../' : '../../../' };
  const moment = momentOf(date);
  if (moment !== undefined) return { moment, up: '../../../../' };
  const message = `"${date.slice(0, 40)}" is no date; ask for /at/2026-11-01/simple/ or /at/2026-11-01T12:00:00Z/simple/`;
  throw new MirrorError('not-found', 'index', message);
}

async function render(
  rooms: PageRooms,
  key: string,
  name: string,
  view: View,
  format: Format,
  base: string,
): Promise<RenderedPage> {
  const found = await rooms.projects.find(name, view.index);
  const project = view.moment === undefined ? found : { ...found, page: asOf(found.page, view.moment) };
  const links = linksOf(project, view.up, base);
  // asked for anew: looking the project up may have kept its page
  const generation = rooms.context.catalog.generation();
  return rooms.pages.current(key, project.stamp, generation, async () => {
    const notes = { held: project.held, listed: project.page.files.length };
    const text = format === 'json' ? renderJsonPage(project.page, links, notes) : renderHtmlPage(project.page, links);
    return new RenderedPage(text, project.page.lastSerial);
  });
}

/** Links of files are relative, so that they hold behind any prefix; attestations need a full address (PEP 740). */
export function linksOf(project: Project, up: string, base: string): Links {
  return {
    file: (file) => up + filePath(project.origin, project.page.name, file),
    provenance: (file) =>
      file.provenance &&
      `${base}/integrity/${project.page.name}/${encodeURIComponent(parseFilename(file.filename, project.page.name)?.version ?? '')}/${encodeURIComponent(file.filename)}/provenance`,
  };
}

/** Sends a rendered page in the coding that the client likes. */
export async function sendPage(
  req: Request,
  res: Response,
  page: RenderedPage,
  contentType: string,
  maxAge: number,
): Promise<void> {
  await sendCoded(req, res, page, contentType, pageOptions(maxAge, page.serial));
}

/** Fields of every page. Short-lived: newer installers ask for nothing while a page is fresh. */
export function pageOptions(maxAge: number, serial: number | undefined): SendOptions {
  return {
    cacheControl: maxAge > 0 ? `public, max-age=${maxAge}` : 'no-cache',
    vary: 'Accept, Accept-Encoding',
    headers: serial === undefined ? {} : { 'x-pypi-last-serial': String(serial) },
  };
}

/**
 * "SHOULD redirect" without a slash, and for names that are not normalised (PEP 503). Relative, so that it holds behind
 * a prefix; the query goes along.
 */
function moved(req: Request, res: Response, name: string): void {
  const query = req.originalUrl.includes('?') ? req.originalUrl.slice(req.originalUrl.indexOf('?')) : '';
  res.setHeader('location', `${req.path.endsWith('/') ? '../' : './'}${name}/${query}`);
  res.setHeader('vary', 'Accept');
  res.setHeader('content-length', 0);
  res.status(301).end();
}

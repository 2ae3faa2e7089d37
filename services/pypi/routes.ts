import { type NextFunction, type Request, type Response, Router } from 'express';
import { RenderedDocuments } from '../../shared/http/rendered-documents.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { fileHandler, provenanceHandler } from './files.ts';
import { jsonApi } from './json-api.ts';
import type { Origins } from './origins.ts';
import { projectPage, type RenderedPage, viewOf } from './pages.ts';
import { Projects } from './projects.ts';
import { rootList } from './root-list.ts';
import { uploadHandler } from './upload.ts';

/** Bytes of rendered pages that are kept in memory. */
const MOST_BYTES = 64 << 20;

/** The addresses of the index. GET rows answer HEAD too. */
export function routes(context: Context<PypiConfig>, origins: Origins): Router {
  if (context.listing === 'held') origins.withoutAsking();
  // pip takes a moment to tell the default origin: it is asked now, and who needs it first waits
  else origins.list().catch((error: Error) => context.log.warn({ event: 'origins' }, error.message));
  const projects = new Projects(context, origins);
  const pages = new RenderedDocuments<RenderedPage>(context.now, MOST_BYTES);
  const rooms = { context, origins, projects, pages };
  const router = Router({ caseSensitive: true, strict: true });
  const read = context.access.require('read', 'pypi');
  router.use(refuseHiddenPaths);

  // the JSON API of PyPI's documentation; before the view of an origin called "pypi", whose addresses end in a slash
  const json = jsonApi(rooms);
  router.get(['/pypi/:project/json', '/pypi/:project/:version/json'], read, json);

  // https://packaging.python.org/en/latest/specifications/simple-repository-api/#base-html-api
  router.get(['/simple', '/:index/simple'], read, addSlash);
  router.get(['/simple/', '/:index/simple/'], read, rootList(rooms));
  router.get(
    ['/simple/:project', '/simple/:project/', '/:index/simple/:project', '/:index/simple/:project/'],
    read,
    projectPage(rooms),
  );

  // the same as it was at a moment: what was uploaded later is left out
  router.use('/at/:date', (req: Request<{ date: string }>, _res, next) => {
    viewOf(undefined, req.params.date);
    next();
  });
  router.get('/at/:date/simple', read, addSlash);
  router.get('/at/:date/simple/', read, rootList(rooms));
  router.get(['/at/:date/simple/:project', '/at/:date/simple/:project/'], read, projectPage(rooms));

  // https://packaging.python.org/en/latest/specifications/simple-repository-api/#metadata (and the files themselves)
  router.get(['/packages/*path', '/files/*path'], read, fileHandler(rooms));

  // PEP 740, and the integrity API of PyPI's documentation
  router.get('/integrity/:project/:version/:filename/provenance', read, provenanceHandler(rooms));

  // the same with a slash at the end, as PyPI has it too
  router.get(['/pypi/:project/json/', '/pypi/:project/:version/json/'], read, json);

  // the upload API of PyPI's documentation (legacy)
  router.post(['/legacy/', '/legacy', '/'], context.access.require('write', 'pypi'), uploadHandler(context));

  router.get('/', (_req, res) => res.redirect(302, 'simple/'));
  return router;
}

/** No address of an index has dots for a segment or a slash in disguise; whoever sends one is looking for a way out. */
function refuseHiddenPaths(req: Request, _res: Response, next: NextFunction): void {
  const hidden = /%2f|%5c|%00|\\|(^|\/)(\.|%2e){1,2}(\/|$)/i.test(req.path);
  if (hidden)
    throw new MirrorError('bad-request', 'address', 'an address has no hidden slashes, dots or control characters');
  next();
}

function addSlash(req: Request, res: Response): void {
  const query = req.originalUrl.includes('?') ? req.originalUrl.slice(req.originalUrl.indexOf('?')) : '';
  res.setHeader('location', `simple/${query}`);
  res.setHeader('content-length', 0);
  res.status(301).end();
}

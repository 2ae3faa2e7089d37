import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import type { RequestHandler } from 'express';
import type { Rooms } from '../rooms.ts';
import { AuthPlugin } from './auth-plugin.ts';
import { takeVerdaccioLog } from './logging.ts';
import { loadModules } from './modules.ts';
import { StoragePlugin } from './storage-plugin.ts';
import { units } from './unit.ts';

/** A file's whole name behind Verdaccio's prefix: it would look for `.js` itself. */
const PLUGIN = 'larder.ts';
const PLUGINS = join(import.meta.dirname, 'plugins');
/** Of the login form: other bodies are read before Verdaccio has them. */
const MOST_FORM = '64kb';

/** Verdaccio, answering requests; it listens on nothing, asks nobody, and has no files. */
export interface Embedded {
  answer: RequestListener;
  storage: StoragePlugin;
}

/** Verdaccio when somebody needs it: started for the first who does, and once more after a start that failed. */
export function verdaccioOnDemand(rooms: Rooms): () => Promise<Embedded> {
  let starting: Promise<Embedded> | undefined;
  return () => {
    starting ??= startVerdaccio(rooms).catch((error) => {
      starting = undefined;
      throw error;
    });
    return starting;
  };
}

async function startVerdaccio(rooms: Rooms): Promise<Embedded> {
  const { log, grants } = rooms.context;
  takeVerdaccioLog(log);
  takeSearches();
  const storage = new StoragePlugin(rooms, await grants.secretFor('verdaccio'));
  const auth = new AuthPlugin(rooms);
  const { runServer } = loadModules();
  const server = await units.run({ kind: 'start', log }, () => runServer(settings(rooms, storage, auth) as never));
  const [answer] = (server as { listeners(event: string): unknown[] }).listeners('request');
  return { answer: answer as RequestListener, storage };
}

/** As an object: https://verdaccio.org/docs/configuration. It reads YAML with booleans that are none. */
function settings({ context }: Rooms, storage: StoragePlugin, auth: AuthPlugin): object {
  const { config, publicUrl, workDir } = context;
  const file = join(workDir, 'verdaccio.yaml');
  return {
    self_path: file,
    configPath: file,
    storage: join(workDir, 'verdaccio'),
    plugins: PLUGINS,
    // functions, since Verdaccio copies all of this, and no copy of what they make would work
    store: { [PLUGIN]: { make: () => storage } },
    auth: { [PLUGIN]: { make: () => auth } },
    middlewares: { [PLUGIN]: { make: () => ({ register_middlewares: twiceMounted }) } },
    uplinks: {},
    packages: { '**': { access: '$all', publish: '$authenticated', unpublish: '$authenticated' } },
    url_prefix: publicUrl === undefined ? '' : new URL(publicUrl).pathname,
    max_body_size: MOST_FORM,
    user_agent: false,
    security: { api: { legacy: true }, web: { sign: { expiresIn: '12h' } } },
    web: { enable: config.web, title: 'Larder', gravatar: false, sort_packages: 'asc', showUplinks: false },
    log: { type: 'stdout', format: 'json', level: 'warn' },
  };
}

/**
 * What the pages ask is mounted below `/-/verdaccio/`, and has that in its own addresses once more. Verdaccio's log
 * happens to set the address back while a request is on its way, most times; here it fits whether it does or not.
 */
function twiceMounted(app: { use(path: string, handler: RequestHandler): void }): void {
  app.use('/-/verdaccio', (req, _res, next) => {
    // within this mount the address lacks what is put before it again behind it
    req.url = `/-/verdaccio${req.url}`;
    next();
  });
}

/** Has searches of the web interface answered from the names of whichever service is asked. */
function takeSearches(): void {
  const { searchIndex } = loadModules();
  searchIndex.init = async () => undefined;
  searchIndex.query = async (text) => {
    const unit = units.getStore();
    const names = await Promise.resolve(unit?.find?.(text) ?? []).catch((error: unknown) => {
      unit?.fail?.(error);
      return [];
    });
    return { hits: names.map((id) => ({ id })) };
  };
}

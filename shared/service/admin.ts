import express, { type Express } from 'express';
import { renderErrors } from '../http/render-errors.ts';
import { type Want, Wants } from '../mirror/wants.ts';
import { MirrorError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface AdminOptions {
  store: Store;
  telemetry: Telemetry;
  services: readonly string[];
  now(): number;
  /** True while the process is on its way out. */
  draining(): boolean;
}

/** Wants in one answer; the command line lists them all. */
const MOST_WANTS = 10_000;
/** Milliseconds for which a look at the store is believed: several watchers ask as one. */
const LOOK = 1000;
/** Milliseconds after which a store that says nothing is not ready. */
const PATIENCE = 5000;

/** The second port: for those who watch the process, never for clients. */
export function adminApp(options: AdminOptions): Express {
  const { telemetry, draining } = options;
  const problemOf = storeWatch(options);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use((_req, res, next) => {
    res.setHeader('cache-control', 'no-store');
    next();
  });
  app.get('/livez', (_req, res) => void res.type('text/plain').send('ok\n'));
  app.get('/readyz', async (_req, res) => {
    const problem = draining() ? 'shutting down' : await problemOf();
    res
      .status(problem === undefined ? 200 : 503)
      .type('text/plain')
      .send(`${problem ?? 'ok'}\n`);
  });
  app.get('/metrics', async (_req, res) => {
    res.type(telemetry.registry.contentType).send(await telemetry.registry.metrics());
  });
  app.get('/wants', async (_req, res) => void res.json(await readWants(options)));
  app.use((req) => {
    const path = req.path.slice(0, 200);
    throw new MirrorError('not-found', 'address', `there is nothing at ${path}; there is ${PLACES}`);
  });
  app.use(renderErrors({ renderError }, telemetry.log));
  return app;
}

const PLACES = '/livez, /readyz, /metrics and /wants';

/** Asks the store how it is, once a second at most. @returns what is wrong, if something is */
function storeWatch({ store, telemetry, now }: AdminOptions): () => Promise<string | undefined> {
  let last: { at: number; problem: Promise<string | undefined> } | undefined;
  return () => {
    if (!last || now() - last.at >= LOOK || now() < last.at) last = { at: now(), problem: look() };
    return last.problem;
  };

  async function look(): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new MirrorError('unavailable', 'store', 'the store does not answer')), PATIENCE);
    });
    try {
      await Promise.race([store.check(), late]);
      return undefined;
    } catch (error) {
      telemetry.log.warn({ event: 'not-ready', err: error }, 'the store cannot be used');
      return error instanceof MirrorError ? error.message : 'the store cannot be used; the log says why';
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readWants({ store, services, now }: AdminOptions): Promise<{ wants: Want[]; more: boolean }> {
  const wants: Want[] = [];
  for (const service of services) {
    for await (const want of new Wants(store.objects, { service, now }).list()) {
      if (wants.length === MOST_WANTS) return { wants, more: true };
      wants.push(want);
    }
  }
  return { wants, more: false };
}

function renderError({ kind, message }: MirrorError): { status: number; body: string } {
  const shown = kind === 'not-found' || kind === 'bad-request' || kind === 'unavailable';
  const status = { 'not-found': 404, 'bad-request': 400, unavailable: 503 }[kind as string] ?? 500;
  return { status, body: shown ? `${message}\n` : 'this failed; the log says why\n' };
}

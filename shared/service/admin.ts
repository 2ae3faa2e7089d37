import express, { type Express } from 'express';
import { Wants } from '../mirror/wants.ts';
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

/** The second port: for those who watch the process, never for clients. */
export function adminApp({ store, telemetry, services, now, draining }: AdminOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/livez', (_req, res) => void res.type('text/plain').send('ok\n'));
  app.get('/readyz', async (_req, res) => {
    const problem = draining()
      ? 'shutting down'
      : await store.check().then(
          () => undefined,
          (error: Error) => error.message,
        );
    res
      .status(problem === undefined ? 200 : 503)
      .type('text/plain')
      .send(`${problem ?? 'ok'}\n`);
  });
  app.get('/metrics', async (_req, res) => {
    res.type(telemetry.registry.contentType).send(await telemetry.registry.metrics());
  });
  app.get('/wants', async (_req, res) => {
    const wants: unknown[] = [];
    for (const service of services) {
      for await (const want of new Wants(store.objects, { service, now }).list()) {
        if (wants.length < MOST_WANTS) wants.push(want);
      }
    }
    res.json({ wants });
  });
  return app;
}

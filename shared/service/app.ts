import { mkdir } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import type { SuiteConfig } from '../config/schema.ts';
import { Access } from '../http/access.ts';
import { Grants } from '../http/grants.ts';
import { observe } from '../http/observe.ts';
import { renderErrors } from '../http/render-errors.ts';
import { Tokens } from '../http/tokens.ts';
import { Mirror } from '../mirror/mirror.ts';
import { askUnkept } from '../mirror/unkept.ts';
import { Wants } from '../mirror/wants.ts';
import { MirrorError } from '../model/errors.ts';
import type { Store } from '../storage/store.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { airgapped, airgappedPassthrough } from '../upstream/airgapped.ts';
import { withBreaker } from '../upstream/breaker.ts';
import type { HttpOrigins } from '../upstream/http-upstream.ts';
import type { Passthrough } from '../upstream/passthrough.ts';
import { withRetry } from '../upstream/retry.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Context, Service } from './service.ts';
import type { OpenShelf } from './shelf.ts';

export interface AppOptions {
  /** The service's own settings, as its schema parsed them. */
  settings: unknown;
  suite: Pick<SuiteConfig, 'mode' | 'access' | 'upstream'>;
  store: Store;
  telemetry: Telemetry;
  origins: HttpOrigins;
  passthrough: Passthrough;
  now(): number;
  publicUrl?: string;
  shelves?: readonly OpenShelf[];
}

/** The same settings with nobody to ask. Tools that run a service on loopback may always read. */
export function refusing(suite: AppOptions['suite']): AppOptions['suite'] {
  return { ...suite, mode: 'airgapped', access: { anonymousRead: true } };
}

/** A service that is up, with or without an address. */
export interface RunningService {
  service: Service<unknown>;
  /** Answers requests. */
  app: RequestListener;
  context: Context<unknown>;
  /** Waits for downloads and questions in the background. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Puts a service on its floors: store, upstream, mirror, access. */
export async function createServiceApp(service: Service<unknown>, options: AppOptions): Promise<RunningService> {
  const { store, telemetry, now, settings } = options;
  const { name } = service;
  const isAirgapped = options.suite.mode === 'airgapped';
  const wants = new Wants(store.objects, { service: name, now });
  const catalog = store.catalog(name);
  const upstream = isAirgapped ? airgapped() : guarded(service, options);
  const mirror = new Mirror({ service: name, catalog, blobs: store.blobs, upstream, wants, now, telemetry });
  const workDir = join(store.workDir, 'work', name);
  await mkdir(workDir, { recursive: true });
  const ends: (() => Promise<void>)[] = [];
  const context: Context<unknown> = {
    config: settings,
    mirror,
    catalog,
    blobs: store.blobs,
    wants,
    access: new Access({
      anonymousRead: options.suite.access.anonymousRead,
      tokens: new Tokens(store.objects, { now }),
    }),
    log: telemetry.log.child({ service: name }),
    telemetry,
    now,
    listing: isAirgapped ? 'held' : 'all',
    publicUrl: options.publicUrl,
    ask: askUnkept(upstream),
    grants: new Grants(store.objects, { now }),
    passthrough: isAirgapped ? airgappedPassthrough : options.passthrough,
    shelves: options.shelves ?? [],
    workDir,
    atClose: (end) => void ends.push(end),
  };
  return {
    service,
    app: await appOf(service, context),
    context,
    settled: () => mirror.settled(),
    async close() {
      await mirror.close();
      for (const end of ends) await end();
    },
  };
}

function guarded(service: Service<unknown>, options: AppOptions): Upstream {
  const { telemetry, now, suite } = options;
  const retried = withRetry(service.upstream(options.settings, options.origins), { retries: suite.upstream.retries });
  return withBreaker(retried, { service: service.name, telemetry, now });
}

async function appOf(service: Service<unknown>, context: Context<unknown>): Promise<RequestListener> {
  const routes = await service.routes(context);
  return service.plain ? plainApp(service, context, routes) : expressApp(service, context, routes);
}

/** The same steps as below without a router, which would cost the smallest requests a tenth. */
function plainApp(service: Service<unknown>, context: Context<unknown>, routes: RequestHandler): RequestListener {
  const observed = observe(context.telemetry, service.name);
  const failed = renderErrors(service, context.log);
  return (bare, plain) => {
    const [req, res] = [bare as Request, plain as Response];
    req.originalUrl = req.url;
    const end = () => undefined;
    observed(req, res, () => void routes(req, res, (error) => void failed(error, req, res, end)));
  };
}

function expressApp(service: Service<unknown>, context: Context<unknown>, routes: RequestHandler): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('case sensitive routing', true);
  app.set('strict routing', true);
  app.use(observe(context.telemetry, service.name));
  app.use(routes);
  app.use((req) => {
    throw new MirrorError('not-found', 'address', `there is nothing at ${req.path.slice(0, 200)}`);
  });
  app.use(renderErrors(service, context.log));
  return app;
}

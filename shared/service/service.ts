import type { RequestHandler, Router } from 'express';
import type { Logger } from 'pino';
import type { ZodType } from 'zod';
import type { Access } from '../http/access.ts';
import type { Grants } from '../http/grants.ts';
import type { RenderedError } from '../http/render-errors.ts';
import type { Mirror } from '../mirror/mirror.ts';
import type { AskUnkept } from '../mirror/unkept.ts';
import type { Wants } from '../mirror/wants.ts';
import type { Kind, MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { Catalog } from '../storage/catalog.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { HttpOrigins } from '../upstream/http-upstream.ts';
import type { Passthrough } from '../upstream/passthrough.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { OpenShelf, Shelf } from './shelf.ts';

/** What a service is given to live in. */
export interface Context<C> {
  config: C;
  mirror: Mirror;
  /** This service's names. */
  catalog: Catalog;
  blobs: BlobStore;
  wants: Wants;
  access: Access;
  log: Logger;
  telemetry: Telemetry;
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Which names lists may offer: `all` that the origin tells of, or only what is `held`. The shell decides; a service
   * asks nothing else about the network.
   */
  listing: 'all' | 'held';
  /** Where clients reach this service, when the config says so: no trailing slash. Else it is read off each request. */
  publicUrl?: string;
  /** Handlers for what is asked of an origin and never kept: searches, audits. */
  passthrough: Passthrough;
  /** Asks an origin for something small that is not kept. */
  ask: AskUnkept;
  /** Leave to do one thing, for addresses. */
  grants: Grants;
  /** What services of this house hold, for the one that shows it as buckets. */
  shelves: readonly OpenShelf[];
  /** A folder of this service's own for temporary files; swept at start. */
  workDir: string;
  /** Has something ended when the service ends, after its last request: uploads that are under way, timers. */
  atClose(end: () => Promise<void>): void;
}

/** How a protocol says each kind; `satisfies Record<Kind, …>` keeps it complete. */
export type ErrorTable = Record<Kind, (error: MirrorError) => RenderedError>;

export type { RenderedError };

/** One thing that a manifest item resolved to, as a bundle lists it (index/items.jsonl). */
export interface BundleItem {
  /** `pypi:torch==2.6.0`: unique in a bundle. */
  id: string;
  /** `pypi-file`, `hf-model`, `oci`: what `index/items.jsonl` calls it. */
  type: string;
  /** The names that make it up; in which order they are written is the bundle's business. */
  refs: Ref[];
  /** Names that are taken along where the origin has them, and not missed where it has not. */
  optional?: Ref[];
  /** Facts for people and for later tools; written into the item's line as they are. */
  details: Record<string, unknown>;
}

/** Something a target needs and the bundle lacks, in words: "numpy 2.1 for cp313 aarch64: no wheel". */
export interface MissingEdge {
  target: string;
  message: string;
}

/** How a service takes part in bundles; the keys of `items` are the manifest's item types. */
export interface Bundling<C> {
  /** One schema per item type, over a whole manifest item (`{ python: … }`); what it makes of it goes to `closure`. */
  items: Record<string, ZodType>;
  /**
   * Everything that `item` needs where there is no origin, resolved and locked.
   * @param baseDir the manifest's folder: its file names are relative to it
   */
  closure(context: Context<C>, item: ManifestItem, environment: ClosureEnvironment): AsyncIterable<BundleItem>;
  /**
   * Solves every target of `item` again, against a service whose store is the bundle alone.
   * @param context a context over the bundle, whose origin refuses
   */
  prove?(context: Context<C>, item: ManifestItem, environment: ClosureEnvironment): AsyncIterable<MissingEdge>;
}

export interface ManifestItem {
  /** The key in the manifest: `python`, `hf`. */
  type: string;
  /** What `items[type]` made of the whole item, options beside the type's own key included (`{ hf: …, revision: … }`). */
  value: unknown;
  /** `defaults.platforms[type]` and the like, as the manifest has them. */
  defaults: Record<string, unknown>;
}

export interface ClosureEnvironment {
  baseDir: string;
  /** The service itself on loopback, for tools that speak its protocol (uv); no trailing slash. */
  url: string;
  /** A folder for temporary files; the caller removes it. */
  workDir: string;
  signal: AbortSignal;
  /** Says what is going on, for the progress display. */
  note(message: string): void;
}

/**
 * A protocol: how a URL becomes a Ref, what the origin's headers mean, how its clients are told no. Everything else is
 * said once, in `shared/`. A further service is one folder that exports one of these as `service`.
 */
export interface Service<C> {
  name: string;
  /** First free port of its kind unless the config says otherwise. */
  defaultPort: number;
  configSchema: ZodType<C>;
  /** How the origins are asked. `origins` makes an Upstream from a description of them; the shell decorates it. */
  upstream(config: C, origins: HttpOrigins): Upstream;
  routes(context: Context<C>): RequestHandler | Router | Promise<RequestHandler | Router>;
  /** Its routes are one handler that answers everything and reads the bare request: no router is put before it. */
  plain?: boolean;
  /** @param requestId what the log calls the request, for protocols that say it */
  renderError(error: MirrorError, requestId?: string): RenderedError;
  bundling?: Bundling<C>;
  /** What it holds as buckets that are only read. */
  shelves?: readonly Shelf[];
  /** The one line that points its client here, printed at start. */
  clientHint(url: string): string;
}

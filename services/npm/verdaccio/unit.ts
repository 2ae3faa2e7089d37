import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from 'pino';
import { isKind, type Kind, MirrorError } from '../../../shared/model/errors.ts';
import type { NpmIdentity } from '../access.ts';
import type { Attachment, LocalDocument } from '../local-document.ts';
import type { Publication } from './publication.ts';

/**
 * What one request is about, for the plugins that Verdaccio calls in the course of it: Verdaccio tells them a name and
 * nothing else, and is one for all that run in a process.
 */
export interface Unit {
  /**
   * `publish` and what follows write; `show` is the web interface, which is shown what is mirrored too, and `list` is
   * its first page.
   */
  kind: 'start' | 'publish' | 'deprecate' | 'star' | 'unpublish' | 'tags' | 'show' | 'list';
  log: Logger;
  /** Finds names for the web interface. */
  find?(text: string): Promise<string[]>;
  /** Ends the request, when Verdaccio throws where nobody catches it. */
  fail?(error: unknown): void;
  identity?: NpmIdentity;
  /** Of the document that the client looked at before it changed it. */
  revision?: string;
  publication?: Publication;
  /** What Verdaccio has made of a publication so far: it is written as a whole, at the end. */
  draft?: LocalDocument;
  /** Its bytes, which are in the store. */
  upload?: Upload;
}

export interface Upload extends Attachment {
  /** Base64, as `dist.integrity` has it. */
  sha512: string;
}

export const units = new AsyncLocalStorage<Unit>();

/** Callbacks as Verdaccio's plugins are given them. */
export type Callback<T = void> = (error: Error | null, value?: T) => void;

const STATUS: Partial<Record<Kind, number>> = {
  'bad-request': 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  'not-held': 404,
  conflict: 409,
  'too-large': 413,
  unsupported: 400,
  'upstream-denied': 403,
  'upstream-failed': 502,
  'out-of-space': 507,
  unavailable: 503,
};

/** An error as Verdaccio passes it on to its client. One that says nothing to clients is logged here. */
export function verdaccioError(error: unknown): Error {
  if (isStatusError(error)) return error;
  const status = error instanceof MirrorError ? STATUS[error.kind] : undefined;
  if (status === undefined || isKind(error, 'out-of-space'))
    units.getStore()?.log.error({ event: 'verdaccio', err: error, cause: (error as Error).cause }, 'a write failed');
  const message = status === undefined ? 'the mirror failed; its log says why' : (error as Error).message;
  const said = { status: status ?? 500, statusCode: status ?? 500 };
  // by its code Verdaccio knows that there is nothing; by other codes it puts words of its own for ours
  return Object.assign(new Error(message), said, status === 404 ? { code: 404 } : {});
}

function isStatusError(error: unknown): error is Error {
  return !(error instanceof MirrorError) && typeof (error as { status?: unknown } | undefined)?.status === 'number';
}

/** Answers a callback with what a promise comes to. What the callback itself throws ends the request, and no more than that. */
export function answer<T>(work: Promise<T>, callback: Callback<T>): void {
  work
    .then(
      (value) => callback(null, value),
      (error: unknown) => callback(verdaccioError(error)),
    )
    .catch((error: unknown) => units.getStore()?.fail?.(error));
}

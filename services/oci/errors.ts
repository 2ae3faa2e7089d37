import { type ErrorDetails, type Kind, MirrorError } from '../../shared/model/errors.ts';
import type { ErrorTable, RenderedError } from '../../shared/service/service.ts';

/** distribution-spec, spec.md#error-codes; UNKNOWN and UNAVAILABLE are what the field says beside them. */
export type Code =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'TAG_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'UNAVAILABLE'
  | 'UNKNOWN';

export interface OciErrorDetails extends ErrorDetails {
  code?: Code;
  status?: number;
  headers?: Record<string, string>;
  /** For tools and for people who read them: "unstructured data", as the spec has it. */
  detail?: unknown;
}

/** An error that says more than its kind: the spec's code, fields of the answer. */
export class OciError extends MirrorError {
  readonly details: OciErrorDetails;

  constructor(kind: Kind, subject: string, message: string, details: OciErrorDetails = {}) {
    super(kind, subject, message, details);
    this.details = details;
  }
}

/** The same error, with fields beside it. */
export function withHeaders(error: unknown, headers: Record<string, string>): unknown {
  if (!(error instanceof MirrorError)) return error;
  const { kind, subject, message, retryAfter, originStatus } = error;
  const own = error instanceof OciError ? error.details : {};
  const details = { cause: error, retryAfter, originStatus, ...own, headers: { ...own.headers, ...headers } };
  return new OciError(kind, subject, message, details);
}

/** By the protocol's word for what was asked. */
const UNKNOWN_THING: Record<string, Code> = {
  manifest: 'MANIFEST_UNKNOWN',
  tag: 'MANIFEST_UNKNOWN',
  blob: 'BLOB_UNKNOWN',
  upload: 'BLOB_UPLOAD_UNKNOWN',
  repository: 'NAME_UNKNOWN',
  tags: 'NAME_UNKNOWN',
};
const INVALID_THING: Record<string, Code> = {
  manifest: 'MANIFEST_INVALID',
  tag: 'TAG_INVALID',
  blob: 'BLOB_UPLOAD_INVALID',
  upload: 'BLOB_UPLOAD_INVALID',
  repository: 'NAME_INVALID',
  digest: 'DIGEST_INVALID',
};

const VERSION = { 'docker-distribution-api-version': 'registry/2.0' };

function rendered(status: number, code: Code, error: MirrorError, message = error.message): RenderedError {
  const own = error instanceof OciError ? error.details : {};
  const detail = own.detail === undefined ? {} : { detail: own.detail };
  return {
    status: own.status ?? status,
    headers: { ...VERSION, ...own.headers },
    body: { errors: [{ code: own.code ?? code, message, ...detail }] },
  };
}

const say = (status: number, code: Code) => (error: MirrorError) => rendered(status, code, error);
const unknown = (error: MirrorError) => rendered(404, UNKNOWN_THING[error.subject] ?? 'NAME_UNKNOWN', error);
const hidden = (error: MirrorError) =>
  rendered(500, 'UNKNOWN', error, `the registry failed on this ${error.subject}; its log says why`);

/** How a registry says each kind of error (distribution-spec, spec.md#error-codes). */
const table = {
  'bad-request': (error) => rendered(400, INVALID_THING[error.subject] ?? 'UNSUPPORTED', error),
  unauthorized: say(401, 'UNAUTHORIZED'),
  forbidden: say(403, 'DENIED'),
  'not-found': unknown,
  'not-acceptable': say(406, 'UNSUPPORTED'),
  conflict: say(409, 'DENIED'),
  'too-large': say(413, 'SIZE_INVALID'),
  unsupported: say(405, 'UNSUPPORTED'),
  range: say(416, 'BLOB_UPLOAD_INVALID'),
  'not-held': unknown,
  'upstream-failed': (error) =>
    error.originStatus === 429 ? rendered(429, 'TOOMANYREQUESTS', error) : refusedOr(error, 502),
  // licence and legal answers stand as they are; what an origin wants credentials for is not for the client to give
  'upstream-denied': (error) =>
    rendered([402, 412, 451].includes(error.originStatus ?? 0) ? error.originStatus! : 403, 'DENIED', error),
  corrupt: (error) =>
    rendered(502, 'UNKNOWN', error, `what the origin sent for this ${error.subject} was damaged: ${error.message}`),
  'out-of-space': say(507, 'UNAVAILABLE'),
  unavailable: say(503, 'UNAVAILABLE'),
  internal: hidden,
} satisfies ErrorTable;

/** Registries answer 401 and 403 for what does not exist, too; see upstream.ts for why it comes here as a failure. */
function refusedOr(error: MirrorError, status: number): RenderedError {
  const refused = error.originStatus === 401 || error.originStatus === 403;
  return refused ? rendered(403, 'DENIED', error) : rendered(status, 'UNAVAILABLE', error);
}

export function renderError(error: MirrorError): RenderedError {
  return table[error.kind](error);
}

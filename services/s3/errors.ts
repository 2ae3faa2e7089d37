import { type ErrorDetails, type Kind, MirrorError } from '../../shared/model/errors.ts';
import type { ErrorTable, RenderedError } from '../../shared/service/service.ts';
import { element, type Xml, xmlDocument } from './xml.ts';

export interface S3ErrorDetails extends ErrorDetails {
  status?: number;
  headers?: Record<string, string>;
  /** Further elements of the answer. */
  extra?: Record<string, string | number>;
}

/** An error in S3's own words (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). */
export class S3Error extends MirrorError {
  readonly code: string;
  readonly details: S3ErrorDetails;

  constructor(kind: Kind, code: string, message: string, details: S3ErrorDetails = {}) {
    super(kind, 'object', message, details);
    this.code = code;
    this.details = details;
  }
}

function rendered(status: number, code: string, error: MirrorError, message = error.message): RenderedError {
  const own = error instanceof S3Error ? error : undefined;
  const parts: Xml[] = [element('Code', own?.code ?? code), element('Message', message)];
  for (const [name, value] of Object.entries(own?.details.extra ?? {})) parts.push(element(name, value));
  return {
    status: own?.details.status ?? status,
    headers: { 'content-type': 'application/xml', ...own?.details.headers },
    body: xmlDocument(element('Error', parts)),
  };
}

const say = (status: number, code: string) => (error: MirrorError) => rendered(status, code, error);
const hidden = (error: MirrorError) =>
  rendered(500, 'InternalError', error, `the store failed on this ${error.subject}; its log says why`);

/** How S3 says each kind of error. */
const table = {
  'bad-request': say(400, 'InvalidRequest'),
  unauthorized: say(403, 'AccessDenied'),
  forbidden: say(403, 'AccessDenied'),
  'not-found': say(404, 'NoSuchKey'),
  'not-acceptable': say(400, 'InvalidRequest'),
  conflict: say(409, 'OperationAborted'),
  'too-large': say(400, 'EntityTooLarge'),
  unsupported: say(405, 'MethodNotAllowed'),
  range: say(416, 'InvalidRange'),
  'not-held': say(404, 'NoSuchKey'),
  'upstream-failed': say(502, 'ServiceUnavailable'),
  'upstream-denied': say(403, 'AccessDenied'),
  corrupt: say(400, 'BadDigest'),
  'out-of-space': say(507, 'InsufficientStorage'),
  unavailable: say(503, 'SlowDown'),
  internal: hidden,
} satisfies ErrorTable;

/** With the number under which the log has the request, in AWS's places for it: who reports a failure sends it along. */
export function renderError(error: MirrorError, requestId?: string): RenderedError {
  const { headers, body, ...others } = table[error.kind](error);
  if (requestId === undefined) return { ...others, headers, body };
  const said = (body as string).replace(/<\/Error>$/, () => `${element('RequestId', requestId).xml}</Error>`);
  return { ...others, headers: { ...headers, 'x-amz-request-id': requestId }, body: said };
}

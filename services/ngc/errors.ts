import type { MirrorError } from '../../shared/model/errors.ts';
import type { ErrorTable, RenderedError } from '../../shared/service/service.ts';

/** NGC's word for a status; its clients go by the status alone and show the text. */
const CODES: Record<number, string> = {
  400: 'INVALID_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  409: 'CONFLICT',
  412: 'PRECONDITION_FAILED',
  429: 'TOO_MANY_REQUESTS',
  451: 'UNAVAILABLE_FOR_LEGAL_REASONS',
};

/** Statuses of NGC that mean something to its clients, and are passed on as they are. */
const PASSED_ON = [400, 401, 412, 451];

/** `{"requestStatus":{"statusCode":…,"statusDescription":…}}` (reference §2.4). */
export function rendered(status: number, message: string, requestId?: string): RenderedError {
  const statusCode = CODES[status] ?? (status < 500 ? 'INVALID_REQUEST' : 'INTERNAL_ERROR');
  const requestStatus = { statusCode, statusDescription: message, ...(requestId ? { requestId } : {}) };
  return { status, body: { requestStatus } };
}

type Say = (error: MirrorError) => { status: number; message?: string; headers?: Record<string, string> };

const say = (status: number): Say => {
  return () => ({ status });
};
const hidden: Say = ({ subject }) => ({
  status: 500,
  message: `the mirror failed on this ${subject}; its log says why`,
});

/** What each kind of error is to NGC's clients. */
const table = {
  'bad-request': say(400),
  unauthorized: () => ({ status: 401, headers: { 'www-authenticate': 'Bearer realm="larder"' } }),
  forbidden: say(403),
  'not-found': say(404),
  'not-acceptable': say(406),
  conflict: say(409),
  'too-large': say(413),
  // what there is, is only read
  unsupported: () => ({ status: 405, headers: { allow: 'GET, HEAD' } }),
  range: say(416),
  'not-held': say(404),
  'upstream-failed': ({ originStatus }) => ({ status: originStatus === 429 ? 429 : 502 }),
  'upstream-denied': ({ originStatus = 403 }) => ({ status: PASSED_ON.includes(originStatus) ? originStatus : 403 }),
  corrupt: (error) => (error.subject === 'blob' ? hidden(error) : { status: 502 }),
  'out-of-space': say(507),
  unavailable: () => ({ status: 503, headers: { 'retry-after': '10' } }),
  internal: hidden,
} satisfies Record<keyof ErrorTable, Say>;

export function renderError(error: MirrorError, requestId?: string): RenderedError {
  const { status, message = error.message, headers } = (table[error.kind] as Say)(error);
  return { ...rendered(status, message, requestId), headers };
}

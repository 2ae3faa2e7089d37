import type { MirrorError } from '../../shared/model/errors.ts';
import type { ErrorTable, RenderedError } from '../../shared/service/service.ts';

/** Installers show the text of an error, so it is text: what was asked, what is wrong, what to do. */
function text(status: number): (error: MirrorError) => RenderedError {
  return (error) => ({ status, body: `${error.message}\n` });
}

const hidden = (error: MirrorError): RenderedError => ({
  status: 500,
  body: `the mirror failed on this ${error.subject}; its log says why\n`,
});

/** How an index says each kind of error. */
const table = {
  'bad-request': text(400),
  unauthorized: text(401),
  forbidden: text(403),
  'not-found': text(404),
  'not-acceptable': text(406),
  // twine: "already exist" and 409 are how --skip-existing knows
  conflict: text(409),
  'too-large': text(413),
  unsupported: text(400),
  range: text(416),
  // an installer goes on to its next index, or tells its user, on a 404
  'not-held': text(404),
  'upstream-failed': text(502),
  'upstream-denied': (error) => ({ status: error.originStatus === 451 ? 451 : 403, body: `${error.message}\n` }),
  corrupt: (error) => (error.subject === 'blob' ? hidden(error) : text(502)(error)),
  'out-of-space': text(507),
  // RFC 9110 §15.6.4: "The server MAY send a Retry-After header field"; an error that knows better says so itself
  unavailable: (error) => ({ ...text(503)(error), headers: { 'retry-after': '10' } }),
  internal: hidden,
} satisfies ErrorTable;

export function renderError(error: MirrorError): RenderedError {
  return table[error.kind](error);
}

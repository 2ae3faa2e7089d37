import type { MirrorError } from '../../shared/model/errors.ts';
import type { ErrorTable, RenderedError } from '../../shared/service/service.ts';

/**
 * `{"error": …}`: npm, pnpm, yarn and bun show that text behind the status. One line: it stands in theirs.
 */
function json(status: number, headers?: Record<string, string>): (error: MirrorError) => RenderedError {
  return (error) => ({ status, headers, body: { error: error.message.replace(/\s*\n\s*/g, ' ') } });
}

const hidden = (error: MirrorError): RenderedError => ({
  status: 500,
  body: { error: `the mirror failed on this ${error.subject}; its log says why` },
});

/** What clients may send: a token of ours, or one that `npm login` was given. */
const CHALLENGE = { 'www-authenticate': 'Bearer realm="larder", Basic realm="larder", charset="UTF-8"' };

/** How a registry says each kind of error. */
const table = {
  'bad-request': json(400),
  unauthorized: json(401, CHALLENGE),
  forbidden: json(403),
  'not-found': json(404),
  'not-acceptable': json(406),
  // npm: "You cannot publish over the previously published versions" is a 403, other conflicts are 409 (EPUBLISHCONFLICT)
  conflict: json(409),
  'too-large': json(413),
  unsupported: json(400),
  range: json(416),
  // clients try again on anything else, and what is not held will not be in a minute either
  'not-held': json(404),
  'upstream-failed': json(502),
  'upstream-denied': (error) => json(error.originStatus === 451 ? 451 : 403)(error),
  corrupt: (error) => (error.subject === 'blob' ? hidden(error) : json(502)(error)),
  'out-of-space': json(507),
  unavailable: json(503, { 'retry-after': '10' }),
  internal: hidden,
} satisfies ErrorTable;

export function renderError(error: MirrorError): RenderedError {
  return table[error.kind](error);
}

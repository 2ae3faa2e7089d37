import { type ErrorDetails, type Kind, MirrorError } from '../../shared/model/errors.ts';
import type { ErrorTable, RenderedError } from '../../shared/service/service.ts';

/** What the hub says in `X-Error-Code`; clients choose their exception by it. */
export type HubCode = 'RepoNotFound' | 'RevisionNotFound' | 'EntryNotFound' | 'GatedRepo';

/** The text by which clients know a repo that was taken down; the hub gives it no code. */
export const DISABLED = 'Access to this resource is disabled.';

/** An error that says more than its kind: the hub's code, the commit that was looked at. */
export class HubError extends MirrorError {
  readonly code: HubCode | undefined;
  readonly commit: string | undefined;
  readonly status: number | undefined;
  /** Further fields of the body. */
  readonly more: object | undefined;

  constructor(
    kind: Kind,
    subject: string,
    message: string,
    details: ErrorDetails & { code?: HubCode; commit?: string; status?: number; more?: object } = {},
  ) {
    super(kind, subject, message, details);
    this.code = details.code;
    this.commit = details.commit;
    this.status = details.status;
    this.more = details.more;
  }
}

export const noEntry = (path: string, commit: string) =>
  new HubError('not-found', 'file', `"${path.slice(0, 300)}" does not exist in this revision (${commit})`, {
    code: 'EntryNotFound',
    commit,
  });

/** By the protocol's word for what was asked. */
const CODES: Record<string, HubCode> = {
  repository: 'RepoNotFound',
  revision: 'RevisionNotFound',
  file: 'EntryNotFound',
};

/** Errors of the hub are JSON with one text, and the same text in a header that clients show. */
function say(
  status: number,
  code?: (error: MirrorError) => HubCode | undefined,
): (error: MirrorError) => RenderedError {
  return (error) => {
    const hub = error instanceof HubError ? error : undefined;
    const said = rendered(hub?.status ?? status, error.message, hub?.code ?? code?.(error), hub?.commit);
    return { ...said, body: { ...(said.body as object), ...hub?.more } };
  };
}

function rendered(status: number, message: string, code?: HubCode, commit?: string): RenderedError {
  const headers: Record<string, string> = {
    'x-error-message': oneLine(message),
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'X-Repo-Commit,X-Error-Code,X-Error-Message,X-Request-Id',
  };
  if (code) headers['x-error-code'] = code;
  if (commit) headers['x-repo-commit'] = commit;
  return { status, headers, body: { error: message } };
}

const byWhat = (error: MirrorError) => CODES[error.subject];
const hidden = (error: MirrorError) => rendered(500, `the mirror failed on this ${error.subject}; its log says why`);

/** How a hub says each kind of error (huggingface_hub, utils/_http.py: hf_raise_for_status). */
const table = {
  'bad-request': say(400),
  // the text by which clients tell a wrong token from a repo that does not exist; the body says more
  unauthorized: (error) => {
    const said = say(401)(error);
    return { ...said, headers: { ...said.headers, 'x-error-message': 'Invalid credentials in Authorization header' } };
  },
  forbidden: say(403),
  'not-found': say(404, byWhat),
  'not-acceptable': say(406),
  conflict: say(409),
  'too-large': say(413),
  unsupported: say(501),
  range: say(416),
  // a file that its tree names and that is not held must not pass for one that does not exist: clients would go on
  // without it; a 5xx they would ask for again and again
  'not-held': (error) => (error.subject === 'file' ? say(403)(error) : say(404, byWhat)(error)),
  'upstream-failed': (error) => say(error.originStatus === 429 ? 429 : 502)(error),
  'upstream-denied': (error) =>
    say(error.originStatus === 401 || error.originStatus === 451 ? error.originStatus : 403)(error),
  corrupt: (error) => (error.subject === 'blob' ? hidden(error) : say(502)(error)),
  'out-of-space': say(507),
  unavailable: (error) => {
    const said = say(503)(error);
    return { ...said, headers: { ...said.headers, 'retry-after': '10' } };
  },
  internal: hidden,
} satisfies ErrorTable;

export function renderError(error: MirrorError): RenderedError {
  return table[error.kind](error);
}

/** A header takes one line of Latin letters. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 1000);
}

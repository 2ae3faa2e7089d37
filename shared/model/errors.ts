/**
 * What can go wrong, in words that belong to no protocol. Each service says every kind in its own words
 * (`services/<name>/errors.ts`), so a new kind does not compile until every protocol has its word for it.
 */
export type Kind =
  | 'bad-request'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'not-acceptable'
  | 'conflict'
  | 'too-large'
  | 'unsupported'
  | 'range'
  | 'not-held'
  | 'upstream-failed'
  | 'upstream-denied'
  | 'corrupt'
  | 'out-of-space'
  | 'unavailable'
  | 'internal';

export interface ErrorDetails {
  cause?: unknown;
  /** Seconds after which asking again makes sense (`Retry-After`). */
  retryAfter?: number;
  /** The status that the origin gave, where one did. */
  originStatus?: number;
  /** It is our own settings that stand in the way: asking again leads to the same, and says nothing of the origin. */
  ours?: boolean;
}

/**
 * The only error that crosses a floor. `message` is for the person who reads it: what was asked, what is wrong, what
 * to do. It never holds a secret, nor a path of the server's machine.
 */
export class MirrorError extends Error {
  readonly kind: Kind;
  /** The protocol's own word for the thing asked for: "project", "file", "manifest", "revision". */
  readonly subject: string;
  readonly retryAfter: number | undefined;
  readonly originStatus: number | undefined;
  readonly ours: boolean;

  constructor(kind: Kind, subject: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'MirrorError';
    this.kind = kind;
    this.subject = subject;
    this.retryAfter = details.retryAfter;
    this.originStatus = details.originStatus;
    this.ours = details.ours ?? false;
  }
}

/** True when `error` is a MirrorError of one of `kinds`. */
export function isKind(error: unknown, ...kinds: Kind[]): error is MirrorError {
  return error instanceof MirrorError && kinds.includes(error.kind);
}

/** "database or disk is full" (https://www.sqlite.org/rescode.html). */
const SQLITE_FULL = 13;

/** What a failing system call says in our words: a full disk is told apart from the rest. */
export function fromSystemError(error: unknown, subject: string): MirrorError {
  if (error instanceof MirrorError) return error;
  const { code, errcode } = (error ?? {}) as NodeJS.ErrnoException & { errcode?: number };
  if (code === 'ENOSPC' || code === 'EDQUOT' || (code === 'ERR_SQLITE_ERROR' && errcode === SQLITE_FULL)) {
    return new MirrorError('out-of-space', subject, 'the store has no room left; free some space and try again', {
      cause: error,
    });
  }
  return new MirrorError('internal', subject, `the store failed (${code ?? 'unexpected error'})`, { cause: error });
}

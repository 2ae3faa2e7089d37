import { MirrorError } from '../model/errors.ts';

interface EngineError {
  name?: string;
  message?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number };
}

export function statusOf(error: unknown): number | undefined {
  return (error as EngineError).$metadata?.httpStatusCode;
}

/** The object is not there. */
export function isAbsent(error: unknown): boolean {
  const { name } = error as EngineError;
  return name === 'NoSuchKey' || name === 'NotFound' || (statusOf(error) === 404 && name !== 'NoSuchBucket');
}

/** A condition did not hold; of two writers that race, one is told by 409. */
export function isRefusedCondition(error: unknown): boolean {
  const { name } = error as EngineError;
  return statusOf(error) === 412 || name === 'PreconditionFailed' || name === 'ConditionalRequestConflict';
}

/** What an engine's error means, in words for the operator. */
export function engineError(error: unknown, place: string): MirrorError {
  if (error instanceof MirrorError) return error;
  const { name, message, code } = error as EngineError;
  const status = statusOf(error);
  const details = { cause: error };
  if (status === 507 || name === 'XMinioStorageFull' || code === 'ENOSPC') {
    return new MirrorError('out-of-space', 'store', `the engine of ${place} has no room left`, details);
  }
  if (name === 'NoSuchBucket')
    return new MirrorError('internal', 'store', `${place}: there is no such bucket; create it first`, details);
  if (status === 401 || status === 403) {
    return new MirrorError(
      'internal',
      'store',
      `${place}: the engine refuses our keys (${name}); set storeAccessKey and storeSecretKey`,
      details,
    );
  }
  const why = status === undefined ? (code ?? name ?? message) : `${status} ${name}`;
  return new MirrorError('unavailable', 'store', `${place}: the engine cannot be used now (${why})`, details);
}

import { setTimeout } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { isRefusedCondition, statusOf } from './s3-errors.ts';

const ATTEMPTS = 5;
/** Milliseconds; grows with every attempt. */
const PAUSE = 20;

/**
 * Sends a command again that met something else at its key. Nothing was done then, and the same command may succeed: S3
 * says OperationAborted; versitygw says ExistingObjectIsDirectory when a delete takes an emptied folder away under a
 * put. A conditional put that is told ConditionalRequestConflict does not know yet either ("a delete request … succeeds
 * before a conditional write operation"): it learns by 412 when it asks again. Bodies must be buffers, to be sent twice.
 */
export function retryConflicts(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (command) => {
        for (let attempt = 1; ; attempt += 1) {
          try {
            return await next(command);
          } catch (error) {
            if (attempt === ATTEMPTS || !isPassing(error, commandName)) throw error;
            await setTimeout(attempt * PAUSE * (1 + Math.random()));
          }
        }
      },
    { step: 'initialize', name: 'retryConflicts' },
  );
}

function isPassing(error: unknown, command: string | undefined): boolean {
  // "On a 409 failure you should initiate the multipart upload again": the last step alone would not do
  const whole = command === 'CompleteMultipartUploadCommand' && isRefusedCondition(error);
  return statusOf(error) === 409 && !whole;
}

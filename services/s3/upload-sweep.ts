import type { Context } from '../../shared/service/service.ts';
import type { S3Config } from './config.ts';
import { BUCKETS, uploadPrefix } from './keys.ts';
import { forgetUpload } from './uploads.ts';

const DAY = 86_400_000;
const EVERY = 3_600_000;

/** Gives up, each hour, uploads that were begun `uploadDays` ago and never completed; ends with the service. */
export function sweepUploads(context: Context<S3Config>): void {
  let running: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    running = giveUpOld(context).catch((error) =>
      context.log.warn({ event: 'upload-sweep', err: error }, 'old uploads could not be looked through'),
    );
  }, EVERY);
  timer.unref();
  context.atClose(async () => {
    clearInterval(timer);
    await running;
  });
}

/** Forgets uploads of all buckets that are too old; their bytes go with the next collection of the store. */
export async function giveUpOld(context: Context<S3Config>): Promise<void> {
  const oldest = context.now() - context.config.uploadDays * DAY;
  for (const bucketName of await context.catalog.keys(BUCKETS)) {
    const bucket = bucketName.slice(BUCKETS.length);
    const prefix = uploadPrefix(bucket);
    for (const { key, storedAt } of await context.catalog.list(prefix)) {
      if (Date.parse(storedAt) >= oldest) continue;
      await forgetUpload({ context, bucket }, key.slice(prefix.length));
      context.log.info({ event: 'upload-given-up', bucket, begun: storedAt }, 'an old upload was given up');
    }
  }
}

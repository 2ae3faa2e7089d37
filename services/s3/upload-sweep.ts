import type { Context } from '../../shared/service/service.ts';
import type { S3Config } from './config.ts';
import { BUCKETS, PARTS, partPrefix, uploadPrefix } from './keys.ts';
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
  const live = new Set<string>();
  for (const bucketName of await context.catalog.keys(BUCKETS)) {
    const bucket = bucketName.slice(BUCKETS.length);
    const prefix = uploadPrefix(bucket);
    for (const { key, storedAt } of await context.catalog.list(prefix)) {
      const id = key.slice(prefix.length);
      if (Date.parse(storedAt) >= oldest) live.add(id);
      else {
        await forgetUpload({ context, bucket }, id);
        context.log.info({ event: 'upload-given-up', bucket, begun: storedAt }, 'an old upload was given up');
      }
    }
  }
  await forgetStrayParts(context, live);
}

/** Parts that another replica took while their upload ended here; those of the last hour may belong to a new one. */
async function forgetStrayParts({ catalog, now }: Context<S3Config>, live: ReadonlySet<string>): Promise<void> {
  const latest = now() - EVERY;
  for (const id of await catalog.segments(PARTS)) {
    if (live.has(id)) continue;
    const parts = await catalog.list(partPrefix(id));
    if (parts.some(({ storedAt }) => Date.parse(storedAt) >= latest)) continue;
    for (const { key } of parts) await catalog.delete(key);
  }
}

import type { Context } from '../../shared/service/service.ts';
import type { Rooms } from './asked.ts';
import type { OciConfig } from './config.ts';
import { Images } from './images.ts';
import { Refs } from './refs.ts';
import { Repositories } from './repositories.ts';
import { RepositoryList } from './repository-list.ts';
import { UploadSessions } from './upload-sessions.ts';

/** Furnishes what handlers and bundles stand on. */
export function roomsOf(context: Context<OciConfig>): Rooms {
  const { catalog, blobs, now, config } = context;
  const uploads = new UploadSessions({
    blobs,
    now,
    idleSeconds: config.uploadSeconds,
    mostBytes: config.blobBytes,
  });
  context.atClose(() => uploads.close());
  return {
    context,
    refs: new Refs(config),
    images: new Images({ catalog, blobs, now }),
    repositories: new Repositories(context),
    list: new RepositoryList(catalog),
    uploads,
  };
}

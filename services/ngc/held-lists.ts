import type { Served } from '../../shared/mirror/resource.ts';
import type { Artifact } from './artifact.ts';
import type { Rooms } from './routes.ts';

/** A document to send. */
export interface Listed {
  bytes: Buffer;
  served: Served;
}

/** What is said of a model or a resource, and its versions: all that NGC tells of, or only what is held. */
export class HeldLists {
  readonly #rooms: Pick<Rooms, 'context' | 'documents'>;

  constructor(rooms: Pick<Rooms, 'context' | 'documents'>) {
    this.#rooms = rooms;
  }

  info(artifact: Artifact): Promise<Listed> {
    return this.#rooms.documents.info(artifact);
  }

  versions(artifact: Artifact): Promise<Listed> {
    return this.#rooms.documents.versions(artifact);
  }
}

import type { Request, Response } from 'express';
import type { Context } from '../../shared/service/service.ts';
import type { Address } from './address.ts';
import type { OciConfig } from './config.ts';
import type { Images } from './images.ts';
import type { Refs } from './refs.ts';
import type { Repositories, Repository } from './repositories.ts';
import type { RepositoryList } from './repository-list.ts';
import type { UploadSessions } from './upload-sessions.ts';

/** What every handler stands on. */
export interface Rooms {
  context: Context<OciConfig>;
  refs: Refs;
  images: Images;
  repositories: Repositories;
  list: RepositoryList;
  uploads: UploadSessions;
}

/** A request that was understood: what it wants, of which repository. */
export interface Asked {
  req: Request;
  res: Response;
  address: Address;
  repository: Repository;
}

/** The path of something in the asked-for repository, as this client addresses it: good behind any proxy. */
export function pathOf({ address }: Pick<Asked, 'address'>, what: string): string {
  return `${address.prefix}/v2/${address.name}/${what}`;
}

/** Ends an answer that has no body. */
export function sendEmpty(res: Response, status: number, headers: Record<string, string>): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (status !== 204) res.setHeader('content-length', 0);
  res.statusCode = status;
  res.end();
}

import type { Request, RequestHandler } from 'express';
import type { Identity } from '../../shared/http/tokens.ts';
import type { Context } from '../../shared/service/service.ts';
import type { NpmConfig, OriginConfig } from './config.ts';
import type { Packument, VersionRecord } from './packument.ts';

export interface Origin extends OriginConfig {}
export interface Rooms {
  context: Context<NpmConfig>;
  origins: { list(): Promise<Origin[]>; forName(name: string): Promise<Origin[]> };
  policy: { isPrivate(name: string): boolean; check(name: string): void };
  packages: { record(name: string, version: string): Promise<{ origin: string; record: VersionRecord }> };
  locals: {
    read(name: string): Promise<{ packument: Packument; stamp: string } | undefined>;
    names(): Promise<string[]>;
  };
  access: {
    require(action: 'read' | 'write'): RequestHandler;
    identify(req: Request): Promise<(Identity & { user: string }) | undefined>;
  };
}

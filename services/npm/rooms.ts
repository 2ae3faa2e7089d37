import type { Context } from '../../shared/service/service.ts';
import { NpmAccess } from './access.ts';
import type { NpmConfig } from './config.ts';
import { LocalPackages } from './local-packages.ts';
import type { Origins } from './origins.ts';
import { Packages } from './packages.ts';
import { Policy } from './policy.ts';

/** What handlers stand on. */
export interface Rooms {
  context: Context<NpmConfig>;
  origins: Origins;
  policy: Policy;
  packages: Packages;
  locals: LocalPackages;
  access: NpmAccess;
}

/** Furnishes what handlers and bundles stand on. */
export function roomsOf(context: Context<NpmConfig>, origins: Origins): Rooms {
  if (context.listing === 'held') origins.withoutAsking(context.catalog);
  const policy = new Policy(context.config, context.now);
  const locals = new LocalPackages(context);
  const packages = new Packages(context, { origins, policy, locals });
  return { context, origins, policy, packages, locals, access: new NpmAccess(context) };
}

import { Router } from 'express';
import { attestationsHandler } from './attestations.ts';
import { auditRoutes } from './audit.ts';
import { pingHandler, profileHandler, whoamiHandler } from './identity.ts';
import { keysHandler } from './keys.ts';
import type { Rooms } from './rooms.ts';
import { searchHandler } from './search.ts';

/** The addresses below `/-/` that are about the registry, and no package's document (docs/REGISTRY-API.md of npm/registry). */
export function registryRoutes(rooms: Rooms): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const read = rooms.access.require('read');
  router.get('/-/ping', pingHandler);
  router.get('/-/whoami', whoamiHandler(rooms));
  // docs/user/profile.md of npm/registry; what changes it is Verdaccio's
  router.get('/-/npm/v1/user', profileHandler(rooms));
  router.get('/-/v1/search', read, searchHandler(rooms));
  router.use('/-/npm/v1/security', auditRoutes(rooms));
  router.get('/-/npm/v1/keys', read, keysHandler(rooms));
  router.get('/-/npm/v1/attestations/*spec', read, attestationsHandler(rooms));
  return router;
}

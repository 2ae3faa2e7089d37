import { z } from 'zod';
import { patterns, policyFields } from '../../shared/upstream/name-policy.ts';
import { originFields, originList } from '../../shared/upstream/origin-settings.ts';

const scope = z.string().regex(/^@[a-z0-9._~-]+$/i, 'a scope is written @acme');

/** One registry that is asked. */
export const originSchema = z.strictObject({
  ...originFields,
  /** It is asked for these scopes, and no other origin is; for everything else when empty. */
  scopes: z.array(scope).default([]),
});
export type OriginConfig = z.infer<typeof originSchema>;

export const configSchema = z.strictObject({
  /** Asked in this order: the first that knows a name has it. Empty: what npm on this machine is configured with, scopes included. */
  origins: originList(originSchema),
  ...policyFields,
  /** Versions that nobody gets: `event-stream@3.3.6`, `lodash@<4.17.21`, `@evil/*`. */
  block: patterns,
  /** Seconds a client may go without asking for a packument again. */
  packumentSeconds: z.number().int().min(0).max(3600).default(30),
  /** Seconds a packument is fresh here, and for which it is then given while its origin is asked behind it. */
  freshSeconds: z.number().int().min(0).default(300),
  staleSeconds: z.number().int().min(0).default(86_400),
  /** Questions for advisories go on to the origin, without private names; else they are answered from what is held. */
  audit: z.boolean().default(true),
  /** The web interface of Verdaccio at `/`. */
  web: z.boolean().default(true),
  /** Most bytes of what is published at once. */
  mostPublish: z
    .number()
    .int()
    .min(1)
    .default(256 << 20),
  /** The npm that tells what it is configured with, and resolves ranges for bundles. */
  npm: z.string().default('npm'),
});
export type NpmConfig = z.infer<typeof configSchema>;

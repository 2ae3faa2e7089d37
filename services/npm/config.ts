import { z } from 'zod';
import { patterns, policyFields } from '../../shared/upstream/name-policy.ts';

const originName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'a name is a letter, then letters, digits and "-"');
const scope = z.string().regex(/^@[a-z0-9._~-]+$/i, 'a scope is written @acme');

/** One registry that is asked. */
export const originSchema = z.strictObject({
  name: originName.refine((value) => value !== 'private', '"private" is the name of what is published here'),
  url: z.url({ protocol: /^https?$/ }),
  /** It is asked for these scopes, and no other origin is; for everything else when empty. */
  scopes: z.array(scope).default([]),
  /** Hosts that tarballs may come from beside the registry's own; those its own packuments name when unset. */
  fileHosts: z.array(z.string()).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  token: z.string().optional(),
  /** Files that hold them, as secrets of containers come. */
  passwordFile: z.string().optional(),
  tokenFile: z.string().optional(),
  /** PEM of authorities that are trusted for it beside the usual ones. */
  caFile: z.string().optional(),
  /** Names that are asked for here; all when empty. `*` stands for any characters. */
  allow: patterns,
  deny: patterns,
});
export type OriginConfig = z.infer<typeof originSchema>;

export const configSchema = z.strictObject({
  /** Asked in this order: the first that knows a name has it. Empty: what npm on this machine is configured with, scopes included. */
  origins: z
    .array(originSchema)
    .refine(
      (origins) => new Set(origins.map((origin) => origin.name)).size === origins.length,
      'two origins have one name',
    )
    .default([]),
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

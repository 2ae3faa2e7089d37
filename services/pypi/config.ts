import { z } from 'zod';
import { patterns, policyFields } from '../../shared/upstream/name-policy.ts';

const name = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'a name is a letter, then letters, digits and "-"');

/** One index that is asked. */
export const originSchema = z.strictObject({
  name: name.refine((value) => value !== 'private', '"private" is the name of what is uploaded here'),
  url: z.url({ protocol: /^https?$/ }),
  /** `simple`: PEP 503/691 · `find-links`: one flat page of files · `pytorch`: as simple, and 403 means "not here". */
  kind: z.enum(['simple', 'find-links', 'pytorch']).default('simple'),
  /** Hosts that files may come from; those its own pages link to when unset. */
  fileHosts: z.array(z.string()).optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  token: z.string().optional(),
  /** Files that hold them, as secrets of containers come. */
  passwordFile: z.string().optional(),
  tokenFile: z.string().optional(),
  /** PEM of authorities that are trusted for it beside the usual ones. */
  caFile: z.string().optional(),
  /** Projects that are asked for here; all when empty. `*` stands for any characters. */
  allow: patterns,
  deny: patterns,
});
export type OriginConfig = z.infer<typeof originSchema>;

export const configSchema = z.strictObject({
  /** Asked in this order: the first that knows a project has it. Empty: the index that pip here is configured with. */
  origins: z
    .array(originSchema)
    .refine(
      (origins) => new Set(origins.map((origin) => origin.name)).size === origins.length,
      'two origins have one name',
    )
    .default([]),
  ...policyFields,
  /** Names on /simple/: `all` that the origins list, or `held`. */
  rootList: z.enum(['all', 'held']).default('all'),
  /** Seconds a client may go without asking for a page again. */
  pageSeconds: z.number().int().min(0).max(3600).default(30),
  /** Seconds a page is fresh here, and for which it is then given while its origin is asked behind it. */
  freshSeconds: z.number().int().min(0).default(600),
  staleSeconds: z.number().int().min(0).default(86_400),
  /** The Python that tells what pip is configured with. */
  python: z.string().default('python3'),
  /** The resolver; found on the PATH, else fetched through this index, when unset. */
  uv: z.string().optional(),
});
export type PypiConfig = z.infer<typeof configSchema>;

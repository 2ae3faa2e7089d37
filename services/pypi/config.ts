import { z } from 'zod';
import { policyFields } from '../../shared/upstream/name-policy.ts';
import { originFields, originList } from '../../shared/upstream/origin-settings.ts';

/** One index that is asked. */
export const originSchema = z.strictObject({
  ...originFields,
  /** `simple`: PEP 503/691 · `find-links`: one flat page of files · `pytorch`: as simple, and 403 means "not here". */
  kind: z.enum(['simple', 'find-links', 'pytorch']).default('simple'),
});
export type OriginConfig = z.infer<typeof originSchema>;

export const configSchema = z.strictObject({
  /** Asked in this order: the first that knows a project has it. Empty: the index that pip here is configured with. */
  origins: originList(originSchema),
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

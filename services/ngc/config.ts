import { z } from 'zod';
import { patterns } from '../../shared/upstream/name-policy.ts';

const url = z.url({ protocol: /^https?$/ });

export const configSchema = z.strictObject({
  /** The catalog that is asked. */
  origin: url.default('https://api.ngc.nvidia.com'),
  /** Where keys of the older kind are exchanged for tokens. */
  authOrigin: url.default('https://authn.nvidia.com'),
  /** The site's key, for what guests may not have; said to the catalog (an older one to `authOrigin`), never to file hosts. */
  apiKey: z.string().optional(),
  apiKeyFile: z.string().optional(),
  /** The org, and the team in it, that the key belongs to; also what clients with a key of ours are told. */
  org: z.string().optional(),
  team: z.string().optional(),
  /** PEM of authorities that are trusted for it beside the usual ones. */
  caFile: z.string().optional(),
  /** Hosts that its files may come from, beside its own; `*` stands for any characters. */
  fileHosts: z.array(z.string()).default(['*.ngc.nvidia.com']),
  /** Models and resources (`org/team/name`, `org/*`) that are never asked for upstream, besides those added here. */
  private: patterns,
  /** Those that may be asked for (all when empty), and that may not. */
  allow: patterns,
  deny: patterns,
  /** Seconds a list of versions is fresh here, and for which it is then given while the origin is asked behind it. */
  freshSeconds: z.number().int().min(0).default(300),
  staleSeconds: z.number().int().min(0).default(86_400),
});
export type NgcConfig = z.infer<typeof configSchema>;

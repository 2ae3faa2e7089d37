import { z } from 'zod';
import { patterns } from '../../shared/upstream/name-policy.ts';

export const configSchema = z.strictObject({
  /** The hub that is asked. */
  origin: z.url({ protocol: /^https?$/ }).default('https://huggingface.co'),
  /** What the site says to it, for gated and private repos; never to its file hosts. */
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  /** PEM of authorities that are trusted for it beside the usual ones. */
  caFile: z.string().optional(),
  /** Hosts that its files may come from, beside its own; `*` stands for any characters. */
  fileHosts: z.array(z.string()).default(['*.hf.co', '*.huggingface.co']),
  /** Repos (`org/name`, `org/*`) that are never asked for upstream, besides those that were made here. */
  private: patterns,
  /** Repos that may be asked for (all when empty), and that may not. */
  allow: patterns,
  deny: patterns,
  /** Seconds a branch is fresh here, and for which it is then given while the origin is asked behind it. */
  freshSeconds: z.number().int().min(0).default(300),
  staleSeconds: z.number().int().min(0).default(86_400),
  /** Seconds without a request after which a client's load of a branch may move on to a newer commit. */
  pinSeconds: z.number().int().min(0).max(3600).default(30),
  /** Files over so many bytes are asked for in parts of that size: file hosts refuse huge plain GETs. */
  partBytes: z.number().int().min(1_000_000).default(8_000_000_000),
  /** Files over so many bytes are offered by Xet, which current Python clients insist on from 50 GB. 0: none are. */
  xetFromBytes: z.number().int().min(0).default(50_000_000_000),
  /** Largest file that may be uploaded, bytes. */
  uploadBytes: z.number().int().positive().default(500_000_000_000),
});
export type HuggingfaceConfig = z.infer<typeof configSchema>;

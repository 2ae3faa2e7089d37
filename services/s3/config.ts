import { z } from 'zod';

const patterns = z.array(z.string().min(1)).default([]);

/** An access key of the settings; others are made with "larder token create --s3". */
const keySchema = z.strictObject({
  accessKeyId: z.string().min(1).max(16_384),
  secretAccessKey: z.string().min(1).optional(),
  secretAccessKeyFile: z.string().optional(),
  /** What it may do. */
  actions: z.array(z.enum(['read', 'write'])).default(['read', 'write']),
  /** Buckets (`team-*`) that it is for, all when empty. */
  buckets: patterns,
});
export type KeyConfig = z.infer<typeof keySchema>;

export const configSchema = z.strictObject({
  keys: z.array(keySchema).default([]),
  /** What clients are told when they ask where a bucket is. They may sign for any region. */
  region: z.string().min(1).default('us-east-1'),
  /** Hosts before which a bucket may stand (`s3.site`: `bucket.s3.site`). */
  domains: z.array(z.string().min(1)).default([]),
  /** Buckets (`models`, `public-*`) that anybody may read. */
  public: patterns,
  /** Largest object in one request, and largest part, bytes. */
  putBytes: z.number().int().positive().default(5_368_709_120),
  /** Largest object, bytes. */
  objectBytes: z.number().int().positive().default(53_687_091_200_000),
  /** Days after which parts of an upload that nobody completed are given up. */
  uploadDays: z.number().int().min(1).default(7),
});
export type S3Config = z.infer<typeof configSchema>;

import { z } from 'zod';

const port = z.number().int().min(0).max(65_535);
const seconds = z.number().positive().max(86_400);
const url = z.url({ protocol: /^https?$/, error: 'an address like http://host:port is expected' });
const text = z.string().min(1, 'it must not be empty');

const ORIGIN = /^https?:\/\/[^/?#@\s]+\/?$/;
const PREFIX = /^(\/[\w.~-]+)+$/;

/** Settings of the whole suite. Every key has its default here, and its line in config/larder.yaml. */
export const suiteSchema = z.strictObject({
  mode: z.enum(['connected', 'airgapped']).default('connected'),
  store: text.default('./data'),
  storeAccessKey: text.optional(),
  storeSecretKey: text.optional(),
  workDir: text.optional(),
  delivery: z.enum(['stream', 'redirect', 'accel']).default('stream'),
  deliveryMinBytes: z.number().int().min(0).default(4_194_304),
  deliveryEndpoint: z
    .string()
    .regex(ORIGIN, 'an address like https://s3.site:8333 is expected, without a path')
    .optional(),
  accelPrefix: z
    .string()
    .regex(PREFIX, 'a path like /larder-store is expected, without a slash at its end')
    .default('/larder-store'),
  listen: text.default('127.0.0.1'),
  publicUrl: url.optional(),
  drainSeconds: seconds.default(20),
  tls: z.strictObject({ certFile: text.optional(), keyFile: text.optional() }).prefault({}),
  admin: z.strictObject({ port: port.default(9090) }).prefault({}),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info') })
    .prefault({}),
  access: z.strictObject({ anonymousRead: z.boolean().default(true) }).prefault({}),
  upstream: z
    .strictObject({
      httpProxy: url.optional(),
      httpsProxy: url.optional(),
      noProxy: z.string().optional(),
      caFile: text.optional(),
      connectSeconds: seconds.default(10),
      headersSeconds: seconds.default(30),
      idleSeconds: seconds.default(60),
      retries: z.number().int().min(0).max(10).default(2),
    })
    .prefault({}),
});

export type SuiteConfig = z.infer<typeof suiteSchema>;

/** What the section of every service has besides its own keys. */
export function listenerSchema(defaultPort: number) {
  return z.object({
    enabled: z.boolean().default(true),
    port: port.default(defaultPort),
    tlsPort: port.optional(),
    publicUrl: url.optional(),
  });
}

export interface Listener {
  enabled: boolean;
  port: number;
  /** Where it is spoken to with TLS, beside the plain port. */
  tlsPort?: number;
  publicUrl?: string;
}

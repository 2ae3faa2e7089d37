import { z } from 'zod';
import { patterns } from '../../shared/upstream/name-policy.ts';
import { askingFields } from '../../shared/upstream/origin-settings.ts';

const hosts = z.array(z.string().min(1));

/** A registry that is mirrored. */
const registrySchema = z.strictObject({
  /** The host as image names have it: `docker.io`, `nvcr.io`. Part of names in the store and in bundles. */
  name: z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(_[0-9]+_)?$/, 'a host name in lower case; a port as _5000_'),
  /** Where it is asked; `https://<name>` when left out, for docker.io its registry host. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** Further names that clients have for it. */
  aliases: hosts.optional(),
  /** Hosts its blobs and tokens may come from, beside its own; `*` stands for any characters. */
  fileHosts: hosts.optional(),
  /** Hosts that get the credentials beside its own: token servers elsewhere. */
  authHosts: hosts.optional(),
  /** Its names are repositories: `nvidia/*`. */
  ...askingFields,
});
export type RegistryConfig = z.infer<typeof registrySchema>;

const DEFAULTS = ['docker.io', 'nvcr.io', 'quay.io', 'gcr.io', 'ghcr.io', 'registry.k8s.io', 'registry.ollama.ai'];

export const configSchema = z.strictObject({
  registries: z.array(registrySchema).default(DEFAULTS.map((name) => ({ name, allow: [], deny: [] }))),
  /** The one that bare names (`busybox`) mean when no repository of that name was pushed here. */
  bare: z.string().default('docker.io'),
  /** A docker `config.json` with what the site says to registries. */
  dockerConfig: z.string().optional(),
  /** Local repositories (`team/*`) that are never asked for upstream, besides those that were pushed. */
  private: patterns,
  /** Seconds a tag is fresh here, by the first pattern that fits; and for all others. */
  tags: z
    .array(z.strictObject({ match: z.string().min(1), freshSeconds: z.number().int().min(0) }))
    .default(['[0-9]*.[0-9]*.[0-9]*', 'v[0-9]*.[0-9]*.[0-9]*'].map((match) => ({ match, freshSeconds: 3600 }))),
  freshSeconds: z.number().int().min(0).default(60),
  /** Seconds for which it is then given while the origin is asked behind it. */
  staleSeconds: z.number().int().min(0).default(86_400),
  /** How clients are asked for a token: `bearer` (a token endpoint, as large registries have it) or `basic`. */
  challenge: z.enum(['bearer', 'basic']).default('bearer'),
  /** Largest manifest that is taken, bytes. */
  manifestBytes: z.number().int().min(4_194_304).default(8_388_608),
  /** Largest blob that is taken, bytes. */
  blobBytes: z.number().int().positive().default(500_000_000_000),
  /** Seconds without a request after which an upload is given up. */
  uploadSeconds: z.number().int().min(60).default(86_400),
});
export type OciConfig = z.infer<typeof configSchema>;

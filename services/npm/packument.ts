/** What a registry says of a tarball. */
export interface Dist {
  tarball: string;
  /** Hex of sha1. */
  shasum?: string;
  /** Subresource Integrity: `sha512-<base64>`, one or several with spaces between. */
  integrity?: string;
  fileCount?: number;
  unpackedSize?: number;
  [more: string]: unknown;
}

/** A version as it stands in a packument: its package.json, and `dist`. */
export interface VersionManifest {
  name: string;
  version: string;
  dist: Dist;
  deprecated?: string;
  [more: string]: unknown;
}

/**
 * The document of a package (https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md): a name with
 * its versions, tags and times. What is not named here is kept as it came.
 */
export interface Packument {
  name: string;
  'dist-tags': Record<string, string>;
  versions: Record<string, VersionManifest>;
  /** ISO 8601 by version, and `created`, `modified`. */
  time?: Record<string, string>;
  [more: string]: unknown;
}

/** What is known of a version when its tarball comes, kept with the tarball's name: lists are made of it without an origin. */
export interface VersionRecord {
  manifest: VersionManifest;
  /** ISO 8601. */
  time?: string;
  /** Tags that pointed at it then. */
  tags?: string[];
}

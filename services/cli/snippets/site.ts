/** Where a site's services answer, as its clients reach them; no trailing slash. */
export interface Site {
  hf: string;
  pypi: string;
  oci: string;
  ngc: string;
  npm: string;
  s3: string;
  /** Hosts before which a bucket may stand. */
  s3Domains: readonly string[];
  s3Region: string;
  /** Hosts of the registries that are mirrored. */
  registries: readonly string[];
}

/** Settings of one kind of client, with the site's own addresses. */
export interface Snippet {
  /** What it is for, in a line. */
  about: string;
  text(site: Site): string;
}

/** True where a certificate of the site's own authority may be in use. */
export function isSecure(url: string): boolean {
  return url.startsWith('https:');
}

/** The host of an address, with its port. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

/** Lines that point clients in Python at the site's authority; none where the site speaks plain HTTP. */
export function authorityLines({ hf }: Site): string[] {
  if (!isSecure(hf)) return [];
  return [
    'SSL_CERT_FILE=/etc/mirror-ca/bundle.crt        # huggingface_hub 1.x, uv',
    'REQUESTS_CA_BUNDLE=/etc/mirror-ca/bundle.crt   # huggingface_hub before 1.0, pip',
  ];
}

/** What every client of the hub needs. */
export function hubLines(site: Site): string[] {
  return [
    `HF_ENDPOINT=${site.hf}                # before huggingface_hub is imported: it is read once`,
    'HF_TOKEN=<token>                               # larder token create <name> --read --hf; only where anonymous reads are off',
    ...authorityLines(site),
  ];
}

import { isPackageName } from './package-name.ts';

/**
 * The package of a registry's tarball, by its address: `…/@scope/name/-/name-1.0.0.tgz` as nearly every registry has
 * it, `…/download/@scope/name/1.0.0/…` as GitHub has it. Undefined for a tarball that lies somewhere else.
 */
export function packageOfTarball(address: string): string | undefined {
  if (!/^https?:/i.test(address)) return undefined;
  const path = decoded(URL.parse(address)?.pathname ?? '');
  const [, name] =
    /\/((?:@[^/]+\/)?[^/]+)\/-\/(?:@[^/]+\/)?[^/]+\.t(?:ar\.)?gz$/.exec(path) ??
    /\/download\/(@[^/]+\/[^/]+)\/[^/]+\/[^/]+$/.exec(path) ??
    [];
  return name !== undefined && isPackageName(name) ? name : undefined;
}

/** Without %-escapes; as it is where they are broken. */
export function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Where something comes from that no registry has, in words, without the secrets that addresses may hold. */
export function strangerOf(name: string, address: string): string {
  return `${name} comes from ${kindOf(address)} (${withoutSecrets(address)})`;
}

function kindOf(address: string): string {
  if (/^(git[+:@]|ssh:|github:|gitlab:|bitbucket:)|\.git(#|$)/i.test(address)) return 'git';
  if (/^https?:\/\/(codeload\.github\.com|gitlab\.com|bitbucket\.org)\//i.test(address)) return 'git';
  return /^(https?:|binary$|variations$)/i.test(address) ? 'an address of its own' : 'a file';
}

function withoutSecrets(address: string): string {
  return address
    .replace(/\/\/[^/@]*@/, '//')
    .replace(/\?[^#]*/, '')
    .slice(0, 200);
}

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

/** A package as `npm pack` makes one. */
export interface BuiltPackage {
  name: string;
  version: string;
  /** `node-24.1.0.tgz` */
  filename: string;
  bytes: Buffer;
  /** Hex of sha1. */
  shasum: string;
  /** `sha512-<base64>` */
  integrity: string;
  /** Its package.json. */
  manifest: Record<string, unknown>;
}

export interface PackageOptions {
  name: string;
  version: string;
  /** Further fields of package.json: dependencies, bin, os. */
  manifest?: Record<string, unknown>;
  /** Further files, by their path in the package. */
  files?: Record<string, string | Buffer>;
}

/** A real tarball: installers take it. Its one module says its version. Always the same bytes for the same options. */
export function buildPackage({ name, version, manifest: more, files = {} }: PackageOptions): BuiltPackage {
  const manifest = { name, version, main: 'index.js', license: 'MIT', ...more };
  const members: Record<string, string | Buffer> = {
    'package.json': `${JSON.stringify(manifest, undefined, 2)}\n`,
    'index.js': `module.exports = ${JSON.stringify(version)};\n`,
    ...files,
  };
  const bytes = gzipSync(tar(Object.entries(members).map(([path, body]) => [`package/${path}`, Buffer.from(body)])));
  return {
    name,
    version,
    filename: `${name.slice(name.indexOf('/') + 1)}-${version}.tgz`,
    bytes,
    shasum: createHash('sha1').update(bytes).digest('hex'),
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    manifest,
  };
}

/** POSIX ustar: 512 bytes that say what follows, the bytes, and zeros up to the next 512. */
function tar(members: [path: string, body: Buffer][]): Buffer {
  const blocks = members.flatMap(([path, body]) => [headerOf(path, body.length), body, zeros(-body.length & 511)]);
  return Buffer.concat([...blocks, zeros(1024)]);
}

function headerOf(path: string, size: number): Buffer {
  const header = zeros(512);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  header.write(path, 0, 100);
  header.write(octal(0o644, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size, 11), 124);
  // the day that npm gives to all files, so that the same files are the same bytes
  header.write(octal(Date.parse('1985-10-26T08:15:00Z') / 1000, 11), 136);
  header.write('        0', 148);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return header;
}

function zeros(length: number): Buffer {
  return Buffer.alloc(length);
}

import { normalizeName } from '../project-name.ts';
import { formatVersion, parseVersion } from './pep440.ts';

/** What the name of a wheel says. */
export interface WheelName {
  /** Normalised. */
  project: string;
  /** Normalised. */
  version: string;
  /** Number and rest of the build tag: of wheels that are alike otherwise the higher is taken. */
  build: [number, string] | undefined;
  /** Single tags: compressed tag sets (`py2.py3-none-any`) are spread. */
  tags: string[];
}

const NAME = /^[\w.]*[^\W_][\w.]*$/;

/**
 * Parses `{distribution}-{version}(-{build tag})?-{python tag}-{abi tag}-{platform tag}.whl`
 * (https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention).
 * Undefined for anything else.
 */
export function parseWheelName(filename: string): WheelName | undefined {
  if (!filename.endsWith('.whl')) return undefined;
  const parts = filename.slice(0, -'.whl'.length).split('-');
  if (parts.length !== 5 && parts.length !== 6) return undefined;
  const [name, versionText] = parts as [string, string];
  const [pythons, abis, platforms] = parts.slice(-3).map((part) => part.toLowerCase().split('.')) as [
    string[],
    string[],
    string[],
  ];
  const version = parseVersion(versionText);
  // "Must start with a digit"
  const build = parts.length === 6 ? /^(\d+)(.*)$/.exec(parts[2]!) : undefined;
  if (!NAME.test(name) || name.includes('__') || !version || build === null) return undefined;
  return {
    project: normalizeName(name),
    version: formatVersion(version),
    build: build ? [Number(build[1]), build[2]!] : undefined,
    tags: pythons.flatMap((python) =>
      abis.flatMap((abi) => platforms.map((platform) => `${python}-${abi}-${platform}`)),
    ),
  };
}

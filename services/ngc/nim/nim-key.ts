import { encodeRfc3986 } from '../../../shared/storage/sigv4.ts';
import { type ArtifactVersion, idOf, isFilePath, isVersion, parseId } from '../artifact.ts';

/** A file as a NIM's manifest names it: `ngc://nim/meta/llama3-8b-instruct:hf?file=config.json`. */
export type NimFile = ArtifactVersion & { path: string };

/**
 * The key of a file in a bucket of `NIM_REPOSITORY_OVERRIDE`: its address without the scheme, URL-encoded as one word
 * (https://docs.nvidia.com/nim/large-language-models/latest/nim-repository-override.html):
 * `nim%2Fmeta%2Fllama3-8b-instruct%3Ahf%3Ffile%3Dconfig.json`. Only letters, digits and `_.-~` stay as they are; the `+`
 * of a version is `%2B`.
 */
export function nimKey(of: ArtifactVersion, path: string): string {
  return nimPrefix(of) + encodeRfc3986(path);
}

/** What the keys of all files of a version begin with. */
export function nimPrefix({ artifact, version }: ArtifactVersion): string {
  return encodeRfc3986(`${idOf(artifact)}:${version}?file=`);
}

/**
 * Reads such a key; undefined for all others. Spellings of other encoders mean the same file: `+` for a space (Python's
 * `quote_plus`, by which MLIS uploads), lower-case digits, `()` as they are.
 */
export function parseNimKey(key: string): NimFile | undefined {
  // decoded already: somebody took one turn too many
  if (/[/:?=]/.test(key)) return undefined;
  const [, id, version, path] = /^([^:?]+):([^?]+)\?file=(.+)$/s.exec(decoded(key)) ?? [];
  if (id === undefined || version === undefined || path === undefined) return undefined;
  const artifact = parseId('models', id);
  return artifact && isVersion(version) && isFilePath(path) ? { artifact, version, path } : undefined;
}

/** Of the beginning of a key, the beginning of the address: what is half an escape at its end is left out. */
export function decodedBeginning(prefix: string): string {
  for (let length = prefix.length; length >= Math.max(0, prefix.length - 11); length -= 1) {
    const text = decoded(prefix.slice(0, length));
    if (text !== '' || length === 0) return text;
  }
  return '';
}

/** Empty for what is no encoding of text. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return '';
  }
}

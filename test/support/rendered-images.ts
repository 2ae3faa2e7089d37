import { parseAllDocuments } from 'yaml';
import { parseImageName } from '../../services/oci/image-name.ts';

/**
 * Every image that rendered manifests name, wherever they do: `image` of any object, arguments and variables, values of
 * ConfigMaps, JSON inside of these. By full names, as `docker.io/library/nginx:alpine`.
 */
export function imagesIn(manifests: string): Set<string> {
  const found = new Set<string>();
  for (const document of parseAllDocuments(manifests)) {
    if (document.errors.length > 0) throw document.errors[0]!;
    look(document.toJS(), '', found);
  }
  return found;
}

function look(value: unknown, key: string, found: Set<string>): void {
  if (typeof value === 'string') lookInText(value, key, found);
  else if (Array.isArray(value)) for (const one of value) look(one, key, found);
  else if (value && typeof value === 'object') {
    const { image, defaultImageVersion, ...others } = value as Record<string, unknown>;
    // KServe's explainers keep the version apart
    if (typeof image === 'string') add(defaultImageVersion ? `${image}:${String(defaultImageVersion)}` : image, found);
    for (const [name, one] of Object.entries(others)) look(one, name, found);
  }
}

function lookInText(text: string, key: string, found: Set<string>): void {
  const argument = /^--[a-z0-9-]*image[a-z0-9-]*=(\S+)$/.exec(text)?.[1];
  if (/^\s*[{[]/.test(text)) look(JSON.parse(text), key, found);
  else if (argument) add(argument, found);
  else if (/image/i.test(key)) add(text, found);
}

function add(text: string, found: Set<string>): void {
  const { repository, tag, digest } = parseImageName(text);
  found.add(digest ? `${repository}@${digest}` : `${repository}:${tag ?? 'latest'}`);
}

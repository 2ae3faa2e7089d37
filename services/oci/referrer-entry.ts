import type { Entry } from '../../shared/model/entry.ts';
import { referrerKey } from './keys.ts';
import type { Manifest } from './manifest.ts';

/** A manifest as the list of its subject's referrers shows it. */
export function referrerEntry(repository: string, digest: string, manifest: Manifest, entry: Entry): Entry {
  const { artifactType, annotations, subject } = manifest;
  const headers: Record<string, string> = {
    ...entry.headers,
    ...(artifactType ? { 'artifact-type': artifactType } : {}),
  };
  if (annotations) headers.annotations = JSON.stringify(annotations);
  return { ...entry, key: referrerKey(repository, subject!.digest, digest), headers };
}

import type { Artifact } from './artifact.ts';
import type { Summary } from './keys.ts';

/** What searches know of an artifact, off the fields of its `model` or `recipe`, whoever wrote them. */
export function summaryOf(artifact: Artifact, fields: Record<string, unknown>): Summary {
  const text = (name: string) => (typeof fields[name] === 'string' ? (fields[name] as string) : undefined);
  const size = fields.latestVersionSizeInBytes;
  return {
    displayName: text('displayName') ?? artifact.name,
    description: text('shortDescription') ?? '',
    latestVersion: text('latestVersionIdStr'),
    latestSize: typeof size === 'number' ? size : undefined,
    createdDate: text('createdDate') ?? '',
    updatedDate: text('updatedDate') ?? text('createdDate') ?? '',
    labels: Array.isArray(fields.labels) ? fields.labels.filter((label) => typeof label === 'string') : [],
    publisher: text('publisher'),
    application: text('application'),
    framework: text('framework'),
    modelFormat: text('modelFormat'),
    precision: text('precision'),
    isPublic: fields.isPublic === true,
  };
}

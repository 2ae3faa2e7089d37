import { parseTarget } from '../../services/ngc/artifact.ts';
import { artifactKey, fileKey, SUMMARY, type Summary, versionKey } from '../../services/ngc/keys.ts';
import { digestOf } from '../../shared/model/digest.ts';
import type { Entry } from '../../shared/model/entry.ts';

/** The names of a model that is held: searches read no document. */
export function namesOf(
  target: string,
  summary: Partial<Summary> = {},
  kind: 'models' | 'resources' = 'models',
): Entry[] {
  const of = parseTarget(kind, target);
  const date = '2026-01-01T00:00:00.000Z';
  const dates = { createdDate: date, updatedDate: date };
  const whole = { displayName: of.artifact.name, description: '', ...dates, labels: [], isPublic: true };
  const entry = {
    digest: digestOf('{}'),
    size: 2,
    mediaType: 'application/json',
    origin: 'https://api.ngc.nvidia.com/x',
    storedAt: date,
    checkedAt: date,
    headers: {},
  };
  const headers = { [SUMMARY]: JSON.stringify({ ...whole, latestVersion: of.version, latestSize: 7, ...summary }) };
  return [
    { ...entry, headers, key: artifactKey(of.artifact) },
    { ...entry, key: versionKey(of) },
    { ...entry, key: fileKey(of, 'weights.pth') },
  ];
}

/** The names of many models, of 20 teams and with 7 labels. */
export function manyNames(count: number): Entry[] {
  return Array.from({ length: count }, (_, index) =>
    namesOf(`nvidia/team${index % 20}/model-${index}:v1`, {
      description: `model number ${index} for this and that`,
      labels: ['vision', `label${index % 7}`],
    }),
  ).flat();
}

import { type Artifact, type ArtifactKind, type ArtifactVersion, idOf } from './artifact.ts';

/**
 * Names of the catalog. Documents are kept byte for byte as NGC gave them, or as `local-versions.ts` made them.
 *
 *   artifact/<kind>/<id>              `{"model":{…}}`: moves. Its header `x-larder-ngc` sums it up, for searches
 *   versions/<kind>/<id>              `{"model":{…},"modelVersions":[…]}`, all pages as one: moves
 *   version/<kind>/<id>:<version>     `{"model":{…},"modelVersion":{…}}`
 *   files/<kind>/<id>:<version>       `{"modelFiles":[…]}`, all pages as one
 *   file/<kind>/<id>:<version>?<path> the bytes, under the ETag that NGC gave them
 *
 * `<kind>` is `models` or `resources`, `<id>` is `org/team/name` or `org/name`.
 */
export const artifactKey = (artifact: Artifact) => `artifact/${artifact.kind}/${idOf(artifact)}`;
export const versionsKey = (artifact: Artifact) => `versions/${artifact.kind}/${idOf(artifact)}`;
export const versionKey = ({ artifact, version }: ArtifactVersion) => `version/${place(artifact, version)}`;
export const filesKey = ({ artifact, version }: ArtifactVersion) => `files/${place(artifact, version)}`;
export const fileKey = ({ artifact, version }: ArtifactVersion, path: string) =>
  `file/${place(artifact, version)}?${path}`;

const place = (artifact: Artifact, version: string) => `${artifact.kind}/${idOf(artifact)}:${version}`;

/** The header of an artifact's entry that holds its `Summary` as JSON. */
export const SUMMARY = 'x-larder-ngc';

/** Words of NGC's JSON for a kind: resources are recipes there. */
export const WORDS = {
  models: { one: 'model', version: 'modelVersion', versions: 'modelVersions', files: 'modelFiles', type: 'MODEL' },
  resources: {
    one: 'recipe',
    version: 'recipeVersion',
    versions: 'recipeVersions',
    files: 'recipeFiles',
    type: 'RECIPE',
  },
} as const satisfies Record<ArtifactKind, Record<string, string>>;

/** What searches know of an artifact, without reading its document. */
export interface Summary {
  displayName: string;
  description: string;
  /** Of the newest version. */
  latestVersion?: string;
  latestSize?: number;
  createdDate: string;
  updatedDate: string;
  labels: string[];
  publisher?: string;
  application?: string;
  framework?: string;
  modelFormat?: string;
  precision?: string;
  /** Guests may have it. */
  isPublic: boolean;
}

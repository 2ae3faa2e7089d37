import { createHash } from 'node:crypto';
import { MirrorError } from '../../../shared/model/errors.ts';
import { type ArtifactVersion, idOf } from '../artifact.ts';
import { fileKey } from '../keys.ts';
import { type Json, type LocalStore, readHeld } from '../local-store.ts';
import { placeOf } from '../refs.ts';
import { readEntries } from './entries.ts';
import { keepEntries } from './kept-list.ts';
import type { NetworkConfigs } from './network-configs.ts';
import { pathsOf } from './publication.ts';
import { type Literal, readLiteral } from './python.ts';

const NIL = '00000000-0000-0000-0000-000000000000';
const VERSIONS = 'version/models/';
const PAGE = 500;

export interface Written {
  bytes: Buffer;
  entries: number;
  /** Versions and networks that are held, and not told of: why. */
  leftOut: { id: string; why: string }[];
}

/**
 * Writes ptm_metadatas.json for TAO's models that are held: those whose `customMetrics` name networks. Ids and fields are
 * those of TAO itself (reference ngc.md §1.3); what NGC does not say is null or left out, where TAO makes up a number.
 * What TAO takes from its network configs is there only when these are given.
 */
export async function writeMetadata(store: LocalStore, configs?: NetworkConfigs): Promise<Written> {
  const leftOut: Written['leftOut'] = [];
  const entries: [string, Json][] = [];
  for await (const target of heldVersions(store)) {
    const document = (await readHeld(store, `${VERSIONS}${labelOfTarget(target)}`))!.json;
    const { model = {}, modelVersion = {} } = document as { model?: Json; modelVersion?: Json };
    const attributes = attributesOf(modelVersion.customMetrics);
    const networks = attributes?.endpoints;
    if (!attributes || !Array.isArray(networks) || networks.length === 0) continue;
    const label = labelOfTarget(target);
    const files = await wholeFiles(store, target);
    const why = !attributes.trainable ? 'it is not trainable' : files ? undefined : 'its files are not all held';
    if (why !== undefined) {
      leftOut.push({ id: label, why });
      continue;
    }
    for (const network of networks.map(String)) {
      const fields = configs?.fieldsOf(network);
      if (configs && !fields) leftOut.push({ id: `${label} for ${network}`, why: 'no network config tells of it' });
      else {
        const made = entryOf(target, network, { model, modelVersion, attributes, files: files!, fields });
        entries.push([made.id as string, made]);
      }
    }
  }
  const members = Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
  const bytes = Buffer.from(`${JSON.stringify(members, undefined, 2)}\n`);
  return { bytes, entries: entries.length, leftOut };
}

/** Keeps what was written as the list that is published, merged over the one that is there. */
export async function keepMetadata(store: LocalStore, { bytes }: Written): Promise<void> {
  await keepEntries(store, readEntries(bytes));
}

/** RFC 9562 §5.5 in the namespace of zeros, as TAO has it. */
export function uuid5(name: string): string {
  const hash = createHash('sha1').update(Buffer.alloc(16)).update(name).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

async function* heldVersions({ catalog }: LocalStore): AsyncGenerator<ArtifactVersion> {
  for (let after: string | undefined; ; ) {
    const keys = await catalog.keys(VERSIONS, { after, limit: PAGE });
    for (const key of keys) {
      const place = placeOf(key);
      if (place?.version !== undefined) yield { artifact: place.artifact, version: place.version };
    }
    if (keys.length < PAGE) return;
    after = keys.at(-1)!;
  }
}

/** `nvidia/tao/ocrnet:trainable_v1.0`: TAO's `ngc_path`. */
const labelOfTarget = ({ artifact, version }: ArtifactVersion) => `${idOf(artifact)}:${version}`;

/** What `customMetrics` say, all of them as one; undefined when there are none. */
function attributesOf(customMetrics: unknown): Record<string, Literal> | undefined {
  if (!Array.isArray(customMetrics) || customMetrics.length === 0) return undefined;
  const pairs = customMetrics.flatMap((one: { attributes?: unknown } | null) =>
    Array.isArray(one?.attributes) ? (one.attributes as { key?: unknown; value?: unknown }[]) : [],
  );
  return Object.fromEntries(
    pairs
      .filter(({ key, value }) => typeof key === 'string' && typeof value === 'string')
      .map(({ key, value }) => [key as string, readLiteral(value as string)]),
  );
}

/** The paths of a version's files, when all of them are held. */
async function wholeFiles(store: LocalStore, target: ArtifactVersion): Promise<string[] | undefined> {
  const paths = await pathsOf(store, target);
  if (!paths) return undefined;
  for (const path of paths) if (!(await store.catalog.get(fileKey(target, path)))) return undefined;
  return paths;
}

interface Known {
  model: Json;
  modelVersion: Json;
  attributes: Record<string, Literal>;
  files: readonly string[];
  fields: Json | undefined;
}

function entryOf(target: ArtifactVersion, network: string, known: Known): Json {
  const { model, modelVersion, attributes, files, fields } = known;
  const { org, team, name } = target.artifact;
  const path = labelOfTarget(target);
  const scope = team === undefined ? `orgs/${org}` : `orgs/${org}/teams/${team}`;
  return {
    ...{ id: uuid5(`${path}:${network}`), kind: 'experiment', user_id: NIL, shared: false, public: true },
    ...{ read_only: model.isReadOnly ?? true, base_experiment_ids: [], train_datasets: [], eval_dataset: null },
    ...{ calibration_dataset: null, inference_dataset: null, checkpoint_choose_method: 'best_model' },
    ...{ checkpoint_epoch_number: { id: 0 }, encryption_key: 'tlt_encode', logo: 'https://www.nvidia.com' },
    network_arch: network,
    ...fields,
    name: model.displayName ?? network,
    description: textOf(modelVersion.description) ?? textOf(model.shortDescription),
    model_description: textOf(model.shortDescription),
    version: target.version,
    created_on: modelVersion.createdDate ?? null,
    last_modified: model.updatedDate ?? null,
    ngc_path: path,
    sha256_digest: attributes.sha256_digest ?? {},
    base_experiment_metadata: {
      ...Object.fromEntries(WORDS.map((word) => [word, wordOf(attributes[word])])),
      is_backbone: attributes.is_backbone ?? null,
      is_trainable: true,
      num_parameters: attributes.num_parameters ?? null,
      accuracy: attributes.accuracy ?? null,
      model_card_link: `https://catalog.ngc.nvidia.com/${scope}/models/${name}`,
      spec_file_present: files.includes('experiment.yaml'),
      // TAO's loader reads the file itself
      specs: {},
    },
    ...{ base_experiment_pull_complete: 'pull_complete', source_type: 'ngc' },
  };
}

const WORDS = ['task', 'backbone_type', 'backbone_class', 'domain', 'license'];
const textOf = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);
/** As TAO writes these: `object_detection` is "object detection". */
const wordOf = (value: Literal | undefined) =>
  typeof value === 'string' && value !== '' ? value.replace(/[-_]/g, ' ').toLowerCase() : null;

/** Throws `not-found` where nothing could be written. */
export function checkWritten({ entries, leftOut }: Written): void {
  if (entries > 0) return;
  const why = leftOut.map(({ id, why: reason }) => `${id}: ${reason}`).join('; ');
  const words = 'no model of TAO is held: none whose customMetrics name its networks';
  throw new MirrorError('not-found', 'metadata', why === '' ? words : `nothing to tell of: ${why}`);
}

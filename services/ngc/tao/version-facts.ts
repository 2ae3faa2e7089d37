import type { Json } from '../local-store.ts';
import type { EntryFields } from './entries.ts';
import { type Literal, writeLiteral } from './python.ts';

/** What TAO writes where NGC says nothing: its own words, and none of NGC's. */
const isFiller = (said: string, arch: string) => said === `Base Experiment for ${arch}`;
/** NGC's dates end so; TAO's own clock, which stands in for a date that NGC lacks, writes none. */
const isNgcDate = (date: string | null | undefined): date is string => /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(date ?? '');

/** Attributes that TAO takes over from `customMetrics`, by their names there. */
const TAKEN_OVER = ['task', 'backbone_type', 'backbone_class', 'domain', 'license'] as const;

/**
 * What NGC says of a version, as far as TAO's metadata tells it: of the entries of one `ngc_path`, one for each network.
 * Nothing is said that may be TAO's own invention: it makes up `num_parameters` and `accuracy` where NGC has none
 * (reference ngc.md §1.3), and `is_backbone` is true for want of anything else.
 */
export function versionFacts(entries: readonly EntryFields[]): { model: Json; facts: Json } {
  const [first] = entries as [EntryFields];
  const { network_arch: arch, name, description, model_description: short, created_on, last_modified } = first;
  const hasShort = short && !isFiller(short, arch);
  const hasOwn = description && description !== short && !isFiller(description, arch);
  return {
    model: {
      ...(name ? { displayName: name } : {}),
      ...(hasShort ? { shortDescription: short } : {}),
      ...(typeof first.read_only === 'boolean' ? { isReadOnly: first.read_only } : {}),
      ...(isNgcDate(last_modified) ? { updatedDate: last_modified } : {}),
    },
    facts: {
      ...(hasOwn ? { description } : {}),
      ...(isNgcDate(created_on) ? { createdDate: created_on } : {}),
      ...customMetrics(entries),
    },
  };
}

/** TAO takes no model that has `customMetrics` and is not trainable: what is not trainable has none. */
function customMetrics(entries: readonly EntryFields[]): Json {
  const trainable = entries.filter(({ base_experiment_metadata: said }) => said?.is_trainable === true);
  if (trainable.length === 0) return {};
  const endpoints = [...new Set(trainable.map(({ network_arch }) => network_arch))];
  const { base_experiment_metadata: said, sha256_digest: digests } = trainable[0]!;
  const attributes: [string, Literal][] = [
    ['endpoints', endpoints],
    ['trainable', true],
  ];
  for (const name of TAKEN_OVER) if (said?.[name]) attributes.push([name, said[name]]);
  if (said?.is_backbone === false) attributes.push(['is_backbone', false]);
  if (hasMembers(digests)) attributes.push(['sha256_digest', digests as Literal]);
  return {
    customMetrics: [
      { name: 'tao', attributes: attributes.map(([key, value]) => ({ key, value: writeLiteral(value) })) },
    ],
  };
}

const hasMembers = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length > 0;

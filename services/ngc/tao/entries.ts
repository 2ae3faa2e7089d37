import { z } from 'zod';
import { MirrorError } from '../../../shared/model/errors.ts';
import { type ArtifactVersion, parseTarget } from '../artifact.ts';
import { membersOf } from '../json-slices.ts';
import { METADATA_FILE } from './keys.ts';

const text = z.string().nullish();

/** What of an entry of ptm_metadatas.json is looked at (reference ngc.md §1.3); all else is kept as it is. */
const entrySchema = z.looseObject({
  id: z.string(),
  name: text,
  network_arch: z.string().min(1),
  ngc_path: z.string().min(1),
  source_type: text,
  description: text,
  model_description: text,
  read_only: z.boolean().nullish(),
  created_on: text,
  last_modified: text,
  sha256_digest: z.unknown().optional(),
  base_experiment_metadata: z
    .looseObject({
      ...{ task: text, backbone_type: text, backbone_class: text, domain: text, license: text },
      is_trainable: z.boolean().nullish(),
      is_backbone: z.boolean().nullish(),
      spec_file_present: z.boolean().nullish(),
    })
    .nullish(),
});

export type EntryFields = z.infer<typeof entrySchema>;

/** One model of TAO's, by one network. */
export interface PtmEntry {
  id: string;
  fields: EntryFields;
  /** As it stands in the file. */
  raw: string;
  /** Undefined for a model of the hub. */
  target: ArtifactVersion | undefined;
}

/**
 * Reads ptm_metadatas.json. Throws `bad-request`, naming the entry, for an id that is not its key, for an `ngc_path` that
 * is none, and for what is not as TAO writes it.
 */
export function readEntries(bytes: Buffer): PtmEntry[] {
  const source = bytes.toString('utf8').replace(/^\ufeff/, '');
  const parsed = parsePython(source);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw wrong('is to be an object, an entry for each id');
  const raws = membersOf(source);
  return Object.entries(parsed as Record<string, unknown>).map(([id, value]) => {
    const checked = entrySchema.safeParse(value);
    if (!checked.success) {
      const issue = checked.error.issues[0]!;
      throw wrongEntry(id, `${issue.path.join('.') || 'the entry'}: ${issue.message}`);
    }
    const fields = checked.data;
    if (fields.id !== id) throw wrongEntry(id, `its "id" is "${fields.id}", another one than its key`);
    return { id, fields, raw: raws.get(id)!, target: targetOf(id, fields) };
  });
}

/** Entries of several files as one: a later one takes the place of an earlier one of its id. As TAO itself merges them. */
export function mergeEntries(before: Buffer | undefined, added: readonly PtmEntry[]): Buffer {
  const all = before ? membersOf(before.toString('utf8').replace(/^\ufeff/, '')) : new Map<string, string>();
  for (const { id, raw } of added) all.set(id, raw);
  const members = [...all].map(([id, raw]) => `  ${JSON.stringify(id)}: ${raw}`);
  return Buffer.from(members.length === 0 ? '{}\n' : `{\n${members.join(',\n')}\n}\n`);
}

export const isHub = ({ source_type, ngc_path }: EntryFields) =>
  source_type === 'huggingface' || (!ngc_path.includes(':') && source_type !== 'ngc');

function targetOf(id: string, fields: EntryFields): ArtifactVersion | undefined {
  const { ngc_path: path } = fields;
  if (isHub(fields)) {
    if (/^[\w.-]+(\/[\w.-]+)?$/.test(path) && !/(^|\/)\.\.?(\/|$)/.test(path)) return undefined;
    throw wrongEntry(id, `its "ngc_path", "${path.slice(0, 200)}", is no model of the hub (owner/name)`);
  }
  try {
    return parseTarget('models', path);
  } catch (cause) {
    throw wrongEntry(id, `its "ngc_path": ${(cause as Error).message}`, cause);
  }
}

/** As Python writes and reads JSON: it takes NaN and Infinity for numbers. */
function parsePython(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    const plain = source.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (part) =>
      part[0] === '"' ? part : 'null',
    );
    try {
      return JSON.parse(plain);
    } catch (cause) {
      throw wrong(`is no JSON: ${(cause as Error).message}`, cause);
    }
  }
}

const wrong = (why: string, cause?: unknown) =>
  new MirrorError('bad-request', 'import', `${METADATA_FILE} ${why}`, { cause });

/** An error about one entry. */
export function wrongEntry(id: string, why: string, cause?: unknown): MirrorError {
  return wrong(`entry "${id.slice(0, 100)}": ${why}. Nothing was imported`, cause);
}

import { labelOf } from '../../ngc/artifact.ts';
import { type PtmEntry, readEntries } from '../../ngc/tao/entries.ts';
import { METADATA_FILE, MOST_METADATA } from '../../ngc/tao/keys.ts';
import { hubFolder, versionFolder } from '../../ngc/tao/tree.ts';
import { type Finding, good, unknown, wrong } from './findings.ts';
import type { S3Probe } from './s3-probe.ts';

/** What TAO's loader passes an entry over for (reference ngc.md §1.4). */
const NEEDED = ['id', 'name', 'network_arch', 'ngc_path', 'actions', 'accepted_dataset_intents', 'dataset_type'];
/** Files that TAO's jobs take for weights, in some networks (`handlers/infer_params.py`). */
const WEIGHTS = /\.(tlt|hdf5|pth|pth\.tar|pt|ckpt|safetensors)$/;
/** Keys of a bucket that are looked through for a list that lies elsewhere. */
const MOST_SEARCHED = 200_000;
const SHOWN = 5;

/**
 * "Failed to download JSON file from cloud storage", and "Path mismatch" of TAO's guide: whether ptm_metadatas.json lies
 * where LOCAL_MODEL_REGISTRY says, can be loaded, and has its files beside it.
 * @param registry with its last slash, as keys begin
 */
export async function* checkRegistry(probe: S3Probe, registry: string): AsyncGenerator<Finding> {
  const key = registry + METADATA_FILE;
  const bytes = await probe.read(key, MOST_METADATA);
  if (!bytes) {
    yield await elsewhere(probe, key);
    return;
  }
  yield good(
    'metadata',
    `s3://${probe.bucket}/${key} is there: LOCAL_MODEL_REGISTRY=/${registry.slice(0, -1)} is right`,
  );
  let entries: PtmEntry[];
  try {
    entries = readEntries(bytes);
  } catch (error) {
    yield wrong('ids', `${(error as Error).message.replace('. Nothing was imported', '')}`);
    return;
  }
  yield checkFields(entries);
  yield* checkFiles(probe, registry, entries);
}

/** Where the list lies instead, and what LOCAL_MODEL_REGISTRY would have to be. */
async function elsewhere(probe: S3Probe, key: string): Promise<Finding> {
  const found: string[] = [];
  let looked = 0;
  for await (const one of probe.keys('', MOST_SEARCHED)) {
    looked += 1;
    if (one === METADATA_FILE || one.endsWith(`/${METADATA_FILE}`)) found.push(one.slice(0, -METADATA_FILE.length - 1));
  }
  const where = `s3://${probe.bucket}/${key} is not there`;
  if (found.length === 1 && found[0] !== '')
    return wrong(
      'metadata',
      `${where}, but below /${found[0]}: set LOCAL_MODEL_REGISTRY=/${found[0]}, or publish to where it points: larder tao publish --registry /${key.slice(0, -METADATA_FILE.length - 1)}`,
    );
  if (found.length > 1)
    return wrong(
      'metadata',
      `${where}, but below ${found.map((one) => `/${one}`).join(' and ')}: set LOCAL_MODEL_REGISTRY to one of these`,
    );
  const all = looked >= MOST_SEARCHED ? `, nor among the first ${looked} objects` : ', nor anywhere else in the bucket';
  return wrong('metadata', `${where}${all}: publish it with "larder tao publish"`);
}

function checkFields(entries: readonly PtmEntry[]): Finding {
  const lacking = entries
    .map(({ id, fields }) => ({ id, names: NEEDED.filter((name) => !(name in fields)) }))
    .filter(({ names }) => names.length > 0);
  if (entries.length === 0) return wrong('entries', `${METADATA_FILE} has no entries: TAO finds no model to load`);
  if (lacking.length === 0)
    return good('entries', `${entries.length} entries, each with its own id and all that TAO's loader asks for`);
  const shown = lacking.slice(0, SHOWN).map(({ id, names }) => `${id} (${names.join(', ')})`);
  return wrong(
    'entries',
    `TAO's loader passes over ${lacking.length} of ${entries.length} entries for what they lack: ${shown.join('; ')}${more(lacking)}. Write the list again with "larder tao metadata --network-configs"`,
  );
}

async function* checkFiles(probe: S3Probe, registry: string, entries: readonly PtmEntry[]): AsyncGenerator<Finding> {
  const without: string[] = [];
  const unweighted: string[] = [];
  const unspecified: string[] = [];
  for (const { target, fields } of entries) {
    const folder = target ? versionFolder(target) : hubFolder(fields.ngc_path);
    const label = target ? labelOf(target.artifact, target.version) : fields.ngc_path;
    const names: string[] = [];
    for await (const key of probe.keys(registry + folder)) names.push(key.slice(registry.length + folder.length));
    if (names.length === 0) without.push(label);
    else {
      if (!names.some((name) => WEIGHTS.test(name))) unweighted.push(label);
      const isSaid = fields.base_experiment_metadata?.spec_file_present === true;
      if (isSaid && !names.some((name) => name.endsWith('experiment.yaml'))) unspecified.push(label);
    }
  }
  if (without.length === 0)
    yield good('files', `each entry has files at <registry>/<org>/<team>/<model>/<version>/<model>_v<version>/`);
  else
    yield wrong(
      'files',
      `${shownOf(without)}: no file is where TAO's jobs look. Publish again: larder tao publish --registry /${registry.slice(0, -1)}`,
    );
  if (unweighted.length > 0)
    yield unknown(
      'weights',
      `${shownOf(unweighted)}: none of its files ends as weights that TAO's jobs look for (.tlt .hdf5 .pth .pt)`,
    );
  if (unspecified.length > 0)
    yield wrong(
      'specs',
      `${shownOf(unspecified)}: it is said to have an experiment.yaml, and there is none; TAO loads it without its specs`,
    );
}

const more = (all: readonly unknown[]) => (all.length > SHOWN ? `; and ${all.length - SHOWN} more` : '');
const shownOf = (all: readonly string[]) => `${all.slice(0, SHOWN).join('; ')}${more(all)}`;

import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { BundleItem, Bundling, Context, ManifestItem, MissingEdge } from '../../shared/service/service.ts';
import { idOf, labelOf } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import { Documents } from './documents.ts';
import { chooseFiles, itemSchemas, itemTypeOf, readItem } from './items.ts';
import { versionKey } from './keys.ts';
import { isLocal } from './refs.ts';

/** What NIM versions have beside their files, whether the list names it or not (reference §3). */
const CHECKSUMS = 'checksums.blake3';

/** How `ngc` items come to be names, and how a bundle of them is proven. */
export function bundling(): Bundling<NgcConfig> {
  return {
    items: itemSchemas,
    closure: (context, item) => closure(context, item),
    prove: (context, item) => prove(context, item),
  };
}

/** One item: a version, with all that its routes need where there is no origin. */
async function* closure(context: Context<NgcConfig>, { type, value }: ManifestItem): AsyncGenerator<BundleItem> {
  const item = readItem(type, value);
  const { artifact, version } = item.version;
  const documents = new Documents(context);
  const { refs } = documents;
  const { status } = await documents.parsedVersion(item.version);
  if (status !== 'UPLOAD_COMPLETE')
    throw new MirrorError('not-found', 'version', `${labelOf(artifact, version)} is not complete at NGC (${status})`);
  const listed = await documents.fileList(item.version);
  const { taken, left } = chooseFiles(listed, item);
  const named = [
    refs.artifact(artifact),
    refs.versions(artifact),
    refs.version(item.version),
    refs.files(item.version),
    ...taken.map((file) => refs.file(item.version, file)),
  ];
  const local = isLocal(await context.catalog.get(versionKey(item.version)));
  const isSummed = local || listed.some(({ path }) => path === CHECKSUMS);
  yield {
    id: `${itemTypeOf(artifact.kind)}:${idOf(artifact)}:${version}`,
    type: `${itemTypeOf(artifact.kind)}-version`,
    refs: await Promise.all(named.map((ref) => documents.own(ref))),
    optional: isSummed ? [] : [refs.file(item.version, { path: CHECKSUMS })],
    details: {
      [artifact.kind === 'models' ? 'model' : 'resource']: idOf(artifact),
      version,
      files: taken.length,
      bytes: taken.reduce((sum, { size = 0 }) => sum + size, 0),
      ...(left.length > 0 ? { leftOut: left } : {}),
    },
  };
}

/** Every document that a version is read by must be there, and every file that the item takes. */
async function* prove(context: Context<NgcConfig>, { type, value }: ManifestItem): AsyncGenerator<MissingEdge> {
  const item = readItem(type, value);
  const { artifact, version } = item.version;
  const target = `${type}:${idOf(artifact)}:${version}`;
  const documents = new Documents(context);
  try {
    await documents.info(artifact);
    await documents.versions(artifact);
    const { taken } = chooseFiles(await documents.fileList(item.version), item);
    for (const file of taken)
      if (!(await context.mirror.held(documents.refs.file(item.version, file))))
        yield { target, message: `${file.path} of ${labelOf(artifact, version)} is not in the bundle` };
  } catch (error) {
    if (!isKind(error, 'not-held', 'not-found')) throw error;
    yield { target, message: error.message };
  }
}

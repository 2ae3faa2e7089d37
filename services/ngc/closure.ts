import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { BundleItem, Bundling, Context, ManifestItem, MissingEdge } from '../../shared/service/service.ts';
import { type ArtifactVersion, idOf, isVersion, labelOf } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import { Documents } from './documents.ts';
import { chooseFiles, itemSchemas, itemTypeOf, readItem, type VersionItem } from './items.ts';
import { filesKey, versionKey, WORDS } from './keys.ts';
import { CHECKSUMS } from './nim/checksums.ts';
import { isLocal } from './refs.ts';

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
  const documents = new Documents(context);
  const { refs } = documents;
  const of = await versionOf(documents, item);
  const { artifact, version } = of;
  const { status } = await documents.parsedVersion(of);
  if (status !== 'UPLOAD_COMPLETE')
    throw new MirrorError('not-found', 'version', `${labelOf(artifact, version)} is not complete at NGC (${status})`);
  const listed = await documents.fileList(of);
  const { taken, left } = chooseFiles(listed, item);
  // where NGC lets nobody see the list, the checksums are one, and are among what is taken
  const hasList = (await context.catalog.get(filesKey(of))) !== undefined;
  const named = [
    refs.artifact(artifact),
    refs.versions(artifact),
    refs.version(of),
    ...(hasList ? [refs.files(of)] : [refs.file(of, { path: CHECKSUMS })]),
  ];
  const wanted = hasList ? taken : taken.filter(({ path }) => path !== CHECKSUMS);
  const local = isLocal(await context.catalog.get(versionKey(of)));
  const isSummed = local || listed.some(({ path }) => path === CHECKSUMS);
  yield {
    id: `${itemTypeOf(artifact.kind)}:${idOf(artifact)}:${version}`,
    type: `${itemTypeOf(artifact.kind)}-version`,
    refs: await Promise.all([
      ...named.map((ref) => documents.own(ref)),
      ...wanted.map(({ path }) => documents.fileRef(of, path)),
    ]),
    optional: isSummed ? [] : [refs.file(of, { path: CHECKSUMS })],
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
  const { artifact } = item;
  const documents = new Documents(context);
  let target = `${type}:${idOf(artifact)}${item.version === undefined ? '' : `:${item.version}`}`;
  try {
    await documents.info(artifact);
    await documents.versions(artifact);
    const of = await versionOf(documents, item);
    target = `${type}:${idOf(artifact)}:${of.version}`;
    const { taken } = chooseFiles(await documents.fileList(of), item);
    for (const file of taken)
      if (!(await context.mirror.held(documents.refs.file(of, file))))
        yield { target, message: `${file.path} of ${labelOf(artifact, of.version)} is not in the bundle` };
  } catch (error) {
    if (!isKind(error, 'not-held', 'not-found')) throw error;
    yield { target, message: error.message };
  }
}

/** The version that an item means. Throws `not-found` where it names none and there is none. */
async function versionOf(documents: Documents, { artifact, version }: VersionItem): Promise<ArtifactVersion> {
  if (version !== undefined) return { artifact, version };
  const { bytes } = await documents.info(artifact);
  const said = JSON.parse(bytes.toString('utf8')) as Record<string, { latestVersionIdStr?: unknown } | undefined>;
  const latest = said[WORDS[artifact.kind].one]?.latestVersionIdStr;
  if (typeof latest === 'string' && isVersion(latest)) return { artifact, version: latest };
  throw new MirrorError('not-found', 'version', `${labelOf(artifact)} names no latest version; name one yourself`);
}

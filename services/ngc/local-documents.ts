import { hexOf } from '../../shared/model/digest.ts';
import { artifactKey, fileKey, filesKey, SUMMARY, versionKey, versionsKey, WORDS } from './keys.ts';
import { type Json, type LocalStore, readHeld, rewrite } from './local-store.ts';
import type { AddedFile, LocalVersion } from './local-versions.ts';
import { summaryOf } from './summary.ts';

const SUCCESS = { requestStatus: { statusCode: 'SUCCESS' } };
const onePage = (count: number) => ({ index: 0, size: count, totalPages: 1, totalResults: count });

/** The documents of a version whose files have their names: what is in it first, what leads to it last. */
export async function writeDocuments(
  store: LocalStore,
  version: LocalVersion,
  files: readonly AddedFile[],
): Promise<void> {
  const { artifact } = version;
  const words = WORDS[artifact.kind];
  const before = await readHeld(store, artifactKey(artifact));
  const listed = await readHeld(store, versionsKey(artifact));
  const known = versionsIn(listed?.json, words.versions).find(({ versionId }) => versionId === version.version);
  const facts = factsOf(store, version, files, listed?.local ? { createdDate: known?.createdDate } : known);
  const model = modelOf(store, version, before?.json[words.one] as Json | undefined, facts);

  await writeFiles(store, version, files, facts);
  await rewrite(store, versionKey(version), () => ({ ...SUCCESS, [words.one]: model, [words.version]: facts }));
  // lists of NGC's own that know the version stay as NGC wrote them
  if (known && !listed?.local && before && !before.local) return;
  await writeLists(store, version, model, facts);
}

async function writeFiles(
  store: LocalStore,
  version: LocalVersion,
  files: readonly AddedFile[],
  { createdDate }: Json,
): Promise<void> {
  const list = files.map(({ path, size, digest }) => ({
    path,
    sizeInBytes: size,
    sha256_base64: Buffer.from(hexOf(digest), 'hex').toString('base64'),
    createdDate,
  }));
  const document = { ...SUCCESS, [WORDS[version.artifact.kind].files]: list, paginationInfo: onePage(list.length) };
  await rewrite(store, filesKey(version), () => document);
  // a version of the same name that was here before may have had others
  const names = new Set(files.map(({ path }) => fileKey(version, path)));
  for (const key of await store.catalog.keys(fileKey(version, '')))
    if (!names.has(key)) await store.catalog.delete(key);
}

async function writeLists(store: LocalStore, { artifact, version }: LocalVersion, model: Json, facts: Json) {
  const words = WORDS[artifact.kind];
  await rewrite(store, versionsKey(artifact), (found) => {
    const others = versionsIn(found, words.versions).filter(({ versionId }) => versionId !== version);
    const all = [facts, ...others];
    return { ...SUCCESS, [words.one]: model, [words.versions]: all, paginationInfo: onePage(all.length) };
  });
  const withNewest = async () => {
    const all = versionsIn((await readHeld(store, versionsKey(artifact)))?.json, words.versions);
    return { ...SUCCESS, [words.one]: { ...model, ...newestOf(all) } };
  };
  const summed = (made: Json) => ({ [SUMMARY]: JSON.stringify(summaryOf(made[words.one] as Json)) });
  await rewrite(store, artifactKey(artifact), withNewest, summed);
}

const versionsIn = (json: Json | undefined, word: string) => (json?.[word] ?? []) as Json[];

/** What is said of the version: what was known, what is told now, and what its files say. */
function factsOf(
  { now }: LocalStore,
  { version, facts }: LocalVersion,
  files: readonly AddedFile[],
  known: Json | undefined,
): Json {
  const at = new Date(now()).toISOString();
  return {
    ...known,
    updatedDate: at,
    ...facts,
    createdDate: facts?.createdDate ?? known?.createdDate ?? at,
    versionId: version,
    status: 'UPLOAD_COMPLETE',
    totalFileCount: files.length,
    totalSizeInBytes: files.reduce((sum, { size }) => sum + size, 0),
  };
}

/** What is said of the artifact: what was known, what is told now, and what its name says. */
function modelOf({ now }: LocalStore, { artifact, model }: LocalVersion, before: Json | undefined, facts: Json): Json {
  const { org, team, name } = artifact;
  return {
    displayName: name,
    shortDescription: '',
    description: '',
    labels: [],
    isPublic: true,
    isReadOnly: true,
    canGuestDownload: true,
    createdDate: facts.createdDate,
    ...before,
    updatedDate: new Date(now()).toISOString(),
    ...model,
    name,
    orgName: org,
    ...(team === undefined ? {} : { teamName: team }),
  };
}

/** By the date that versions have; of several of one date, the one that stands first. */
function newestOf(versions: readonly Json[]): Json {
  let newest: Json | undefined;
  for (const one of versions)
    if (!newest || String(one.createdDate ?? '') > String(newest.createdDate ?? '')) newest = one;
  return newest ? { latestVersionIdStr: newest.versionId, latestVersionSizeInBytes: newest.totalSizeInBytes } : {};
}

import { Parsed } from '../../shared/mirror/parsed.ts';
import type { Document, Resource } from '../../shared/mirror/resource.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { Context } from '../../shared/service/service.ts';
import type { Artifact, ArtifactVersion } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import { artifactKey, fileKey, filesKey, versionKey, WORDS } from './keys.ts';
import { CHECKSUMS, ChecksumPromises } from './nim/checksums.ts';
import { isLocal, own, placeOf, Refs, type VersionFile } from './refs.ts';
import { parseFileList, parseVersion, type VersionInfo } from './version-documents.ts';

/** Bytes of a document that is read whole. */
const MOST_DOCUMENT = 64 << 20;

/** Reads the catalog's documents, held or asked for, and the files that they promise. */
export class Documents {
  readonly refs: Refs;
  readonly #context: Context<NgcConfig>;
  readonly #versions = new Parsed<VersionInfo>(32 << 20);
  readonly #learnt = new Set<string>();
  readonly #checksums: ChecksumPromises;
  readonly #lists = new Parsed<ReadonlyMap<string, VersionFile>>();

  constructor(context: Context<NgcConfig>) {
    this.#context = context;
    this.#checksums = new ChecksumPromises(context);
    this.refs = new Refs(context.config);
  }

  /** `{"model":{…}}`, bytes as they came. */
  async info(artifact: Artifact): Promise<Document> {
    return this.#read(this.refs.artifact(artifact));
  }

  /** `{"model":{…},"modelVersions":[…]}` */
  async versions(artifact: Artifact): Promise<Document> {
    return this.#read(this.refs.versions(artifact));
  }

  /** `{"model":{…},"modelVersion":{…}}` */
  async version(of: ArtifactVersion): Promise<Document> {
    return (await this.#version(of)).document;
  }

  /** `{"modelFiles":[…]}` */
  async files(of: ArtifactVersion): Promise<Document> {
    const { document, settled } = await this.#version(of);
    // a list from before the version was complete is not its last word
    const held = await this.#context.catalog.get(filesKey(of));
    const isEarlier = held !== undefined && held.checkedAt < document.entry.storedAt;
    return this.#read(this.refs.files(of, settled && !isEarlier));
  }

  async parsedVersion(of: ArtifactVersion): Promise<VersionInfo> {
    return (await this.#version(of)).info;
  }

  /**
   * The files of a version, in the order of its list; by its checksums, where the list may not be seen or is not here.
   * Throws `upstream-failed` for a list that names a path that is none.
   */
  async fileList(of: ArtifactVersion): Promise<VersionFile[]> {
    try {
      return [...(await this.#filesByPath(of)).values()];
    } catch (error) {
      const isThere = isDenied(error) || (await this.isHeld(of, CHECKSUMS));
      const sums = isThere && (await this.#checksums.read(await this.own(this.refs.file(of, { path: CHECKSUMS }))));
      if (!sums) throw error;
      return [CHECKSUMS, ...sums.keys()].map((path) => ({ path }));
    }
  }

  /** What the list says of one file. Throws `not-found` when it has none of this path. */
  async listed(of: ArtifactVersion, path: string): Promise<VersionFile> {
    return this.#listedIn(await this.#listAllowed(of, path), of, path);
  }

  /** A file's Ref, with what its list promises of it, and where that is nothing, what its checksums promise. */
  async fileRef(of: ArtifactVersion, path: string): Promise<Ref> {
    const list = await this.#listAllowed(of, path);
    const ref = await this.own(this.refs.file(of, this.#listedIn(list, of, path)));
    if (ref.promised?.sha256 !== undefined) return ref;
    const sums = list ? list.get(CHECKSUMS) : { path: CHECKSUMS };
    const blake3 = await this.#checksums.of(ref, sums && (await this.own(this.refs.file(of, sums))));
    return blake3 === undefined ? ref : { ...ref, promised: { ...ref.promised, others: { blake3 } } };
  }

  /** A file to send, with what its list promises of it. */
  async file(of: ArtifactVersion, path: string): Promise<Resource> {
    return this.#context.mirror.open(await this.fileRef(of, path));
  }

  /** True when the bytes of a file are held. */
  async isHeld(of: ArtifactVersion, path: string): Promise<boolean> {
    return (await this.#context.catalog.get(fileKey(of, path))) !== undefined;
  }

  /** As it is, or without a source when it was added here: names of the site's own stay in it. */
  async own(ref: Ref): Promise<Ref> {
    const entry = await this.#context.catalog.get(ref.key);
    if (entry) return own(ref, isLocal(entry));
    const place = placeOf(ref.key);
    return own(ref, place !== undefined && (await this.#isOurs(place.artifact)));
  }

  /** True for what was added here and has nothing of NGC's: nobody is asked for the rest of it. */
  async #isOurs(artifact: Artifact): Promise<boolean> {
    const { catalog } = this.#context;
    if (!isLocal(await catalog.get(artifactKey(artifact)))) return false;
    return (await catalog.list(versionKey({ artifact, version: '' }))).every(isLocal);
  }

  #listedIn(list: ReadonlyMap<string, VersionFile> | undefined, of: ArtifactVersion, path: string): VersionFile {
    const file = list?.get(path);
    if (file) return file;
    if (!list || path === CHECKSUMS) return { path };
    const label = this.refs.file(of, { path }).label;
    throw new MirrorError('not-found', 'file', `there is no ${label}: its list of files does not name it`);
  }

  /** The list of files; undefined where it may not be seen, or is not here and the file is. */
  async #listAllowed(of: ArtifactVersion, path: string): Promise<ReadonlyMap<string, VersionFile> | undefined> {
    return this.#filesByPath(of).catch(async (error) => {
      if (isDenied(error) || (await this.isHeld(of, path))) return undefined;
      throw error;
    });
  }

  async #version(of: ArtifactVersion): Promise<{ document: Document; info: VersionInfo; settled: boolean }> {
    let document = await this.#read(this.refs.version(of));
    let info = await this.#versionIn(of, document);
    const settled = info.status === 'UPLOAD_COMPLETE';
    if (!settled) {
      document = await this.#read(this.refs.version(of, false));
      info = await this.#versionIn(of, document);
    }
    this.#learn(of.artifact);
    return { document, info, settled: info.status === 'UPLOAD_COMPLETE' };
  }

  /**
   * Whoever fetches a file by its address alone, as README files say it, asks for nothing that lists or searches are made
   * of. What is said of its model is fetched behind it, so that it is found when the network is gone.
   */
  #learn(artifact: Artifact): void {
    const refs = [this.refs.artifact(artifact), this.refs.versions(artifact)];
    if (this.#context.listing === 'held' || this.#learnt.has(refs[0]!.key)) return;
    if (this.#learnt.size > 10_000) this.#learnt.clear();
    this.#learnt.add(refs[0]!.key);
    for (const ref of refs) void this.#read(ref).catch(() => undefined);
  }

  #versionIn({ artifact, version }: ArtifactVersion, { entry, bytes }: Document): Promise<VersionInfo> {
    const { one, version: word } = WORDS[artifact.kind];
    return this.#versions.get(entry.digest, entry.size, async () => parseVersion(bytes, { one, word, version }));
  }

  async #filesByPath(of: ArtifactVersion): Promise<ReadonlyMap<string, VersionFile>> {
    const { entry, bytes } = await this.files(of);
    const ref = this.refs.files(of);
    const word = WORDS[of.artifact.kind].files;
    return this.#lists.get(entry.digest, entry.size, async () => parseFileList(bytes, word, ref));
  }

  async #read(ref: Ref): Promise<Document> {
    const { mirror } = this.#context;
    const options = { maxBytes: MOST_DOCUMENT };
    try {
      return await mirror.read(await this.own(ref), options);
    } catch (error) {
      // a key that ran out takes nothing away that is here
      if (!isKind(error, 'upstream-denied') || error.originStatus !== 401 || !(await mirror.held(ref))) throw error;
      return mirror.read(own(ref, true), options);
    }
  }
}

/** Some catalogs give single files to those who may not see lists: NGC is asked for the file itself (reference §2.4). */
function isDenied(error: unknown): boolean {
  return isKind(error, 'upstream-denied') && [400, 401, 403].includes(error.originStatus ?? 0);
}

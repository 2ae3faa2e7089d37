import { PassThrough, type Readable } from 'node:stream';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { LocalDocument } from '../local-document.ts';
import { emptyDocument } from '../local-document.ts';
import { versionInTarballName } from '../package-name.ts';
import type { Rooms } from '../rooms.ts';
import { checkThere, notOurs } from './owners.ts';
import { applyPublication, checkUpload, exists } from './publication.ts';
import type { ShownPackages } from './shown-packages.ts';
import { answer, type Callback, type Unit, type Upload, units } from './unit.ts';

type Handler = (document: LocalDocument, done: Callback) => void;

/** A stream as Verdaccio's storage has it: it says when it is done with by methods of its own. */
type TarballStream = PassThrough & { done(): void; abort(): void };

/**
 * One package as Verdaccio reads and writes it: the callbacks of its older storage interface, which version 6 calls.
 * A publication comes in three updates, for the tarball, the version and the tags; they are written as one.
 */
export class PackageStorage {
  readonly #rooms: Rooms;
  readonly #shown: ShownPackages;
  readonly #name: string;

  constructor(rooms: Rooms, shown: ShownPackages, name: string) {
    this.#rooms = rooms;
    this.#shown = shown;
    this.#name = name;
  }

  readPackage(_name: string, callback: Callback<object>): void {
    answer(this.#read(), callback);
  }

  createPackage(_name: string, document: LocalDocument, callback: Callback): void {
    const unit = units.getStore();
    if (unit?.kind === 'publish') unit.draft = { ...emptyDocument(this.#name), ...document };
    answer(unit?.kind === 'publish' ? Promise.resolve() : Promise.reject(nothingToDo()), callback);
  }

  updatePackage(
    _name: string,
    handler: Handler,
    _write: unknown,
    normalize: (document: LocalDocument) => LocalDocument,
    callback: Callback,
  ): void {
    const unit = units.getStore();
    if (!unit) answer(Promise.reject(nothingToDo()), callback);
    else if (unit.kind === 'publish') answer(this.#draft(unit, handler), callback);
    else answer(this.#change(unit, handler, normalize), callback);
  }

  /** Verdaccio writes what it read as a whole in one case only: of packages that come from its own upstreams. */
  savePackage(_name: string, _document: object, callback: Callback): void {
    answer(Promise.reject(nothingToDo()), callback);
  }

  /** The document goes, and with it all tarballs; a tarball goes with its version. */
  deletePackage(file: string, callback: Callback): void {
    if (file !== 'package.json') callback(null);
    else answer(this.#remove(), callback);
  }

  removePackage(callback: Callback): void {
    callback(null);
  }

  readTarball(_file: string): PassThrough {
    const stream = Object.assign(new PassThrough(), { abort: () => undefined });
    const absent = Object.assign(new Error('no such file available'), { code: 404, status: 404 });
    process.nextTick(() => stream.emit('error', absent));
    return stream;
  }

  writeTarball(file: string): TarballStream {
    const unit = units.getStore();
    const body = new PassThrough();
    const stream = Object.assign(body, { done: () => undefined, abort: () => void body.destroy() });
    answer(this.#keep(unit, file, body), (error) => {
      if (error) stream.emit('error', error);
      else stream.emit('success');
    });
    process.nextTick(() => stream.emit('open'));
    return stream;
  }

  async #read(): Promise<object> {
    const unit = units.getStore();
    const kind = unit?.kind ?? 'show';
    const found =
      kind === 'show' || kind === 'list'
        ? await this.#shown.read(this.#name, kind)
        : (unit?.draft ?? (await this.#rooms.locals.document(this.#name)));
    if (!found) throw notOurs(this.#name);
    return found;
  }

  async #keep(unit: Unit | undefined, file: string, body: Readable): Promise<void> {
    const version = versionInTarballName(this.#name, file);
    if (unit?.kind !== 'publish' || !unit.publication || version !== unit.publication.version) throw nothingToDo();
    if ((await this.#rooms.locals.record(this.#name, version)) !== undefined) throw exists(this.#name, version);
    const more = ['sha1', 'sha512'].map((algorithm) => ({ name: algorithm, algorithm }));
    const kept = await this.#rooms.context.blobs.ingest(body, { subject: 'tarball', more });
    const sha512 = Buffer.from(kept.hashes.get('sha512')!, 'hex').toString('base64');
    const upload: Upload = { shasum: kept.hashes.get('sha1')!, sha512, digest: kept.digest, size: kept.size, version };
    checkUpload(unit.publication, upload);
    unit.upload = upload;
  }

  /** Lets Verdaccio change the draft; when it has the version and its tags, it is written. */
  async #draft(unit: Unit, handler: Handler): Promise<void> {
    const { publication, upload } = unit;
    if (!publication || !upload) throw nothingToDo();
    const isFirst = unit.draft === undefined;
    const draft = unit.draft ?? (await this.#rooms.locals.document(this.#name)) ?? emptyDocument(this.#name);
    unit.draft = draft;
    const hadVersion = Object.hasOwn(draft.versions, publication.version);
    if (isFirst && hadVersion) throw exists(this.#name, publication.version);
    await handled(handler, draft);
    if (!hadVersion) return;
    const manifest = draft.versions[publication.version]!;
    const { now } = this.#rooms.context;
    const at = new Date(now()).toISOString();
    const made = { manifest, readme: draft.readme, upload, at, user: unit.identity?.user ?? 'unknown' };
    const about = { name: this.#name, version: publication.version, digest: upload.digest, size: upload.size };
    await this.#rooms.locals.publish(about, (document) => applyPublication(document, publication, made));
  }

  async #change(unit: Unit, handler: Handler, normalize: (document: LocalDocument) => LocalDocument): Promise<void> {
    await this.#rooms.locals.change(this.#name, async (document) => {
      checkThere(document, unit.revision);
      const before = structuredClone(document);
      await handled(handler, document);
      if (unit.kind === 'deprecate' || unit.kind === 'star') {
        document['dist-tags'] = before['dist-tags'];
        if (unit.kind === 'deprecate') document.users = before.users;
      } else if (unit.kind === 'unpublish') document.users = before.users;
      for (const [tag, version] of Object.entries(document['dist-tags']))
        if (!Object.hasOwn(document.versions, version)) delete document['dist-tags'][tag];
      normalize(document);
      for (const section of ['_distfiles', '_uplinks']) delete document[section];
    });
  }

  async #remove(): Promise<void> {
    const unit = units.getStore();
    if (!unit) throw nothingToDo();
    await this.#rooms.locals.change(this.#name, (document) => {
      checkThere(document, unit.revision);
      document.versions = {};
      document['dist-tags'] = {};
      document._attachments = {};
      document.time = { created: document.time.created ?? '' };
      for (const field of ['readme', 'description', 'maintainers', 'users']) delete document[field];
    });
  }
}

async function handled(handler: Handler, document: LocalDocument): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    handler(document, (error) => (error ? reject(error) : resolve()));
  });
}

function nothingToDo(): MirrorError {
  return new MirrorError('unsupported', 'package', 'this way of changing a package is not known here');
}

import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LocalPackages } from '../../../services/npm/local-packages.ts';
import type { VersionManifest, VersionRecord } from '../../../services/npm/packument.ts';
import { localKey, PRIVATE, RECORD, tarballKey, tarballRef } from '../../../services/npm/refs.ts';
import type { BlobStore } from '../../../shared/storage/blob-store.ts';
import type { Catalog } from '../../../shared/storage/catalog.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { planGc, runGc } from '../../../shared/storage/store-gc.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { type BuiltPackage, buildPackage } from '../../support/npm-packages.ts';

const HOUR = 3_600_000;

let folder: { path: string; remove(): Promise<void> };
let store: Store;
let catalog: Catalog;
let blobs: BlobStore;
let time: number;
let locals: LocalPackages;
const now = () => time;

beforeEach(async () => {
  folder = await temporaryFolder();
  time = Date.parse('2026-05-01T00:00:00Z');
  store = await openStore(folder.path, { now });
  catalog = store.catalog('npm');
  blobs = store.blobs;
  locals = new LocalPackages({ catalog, blobs, now });
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const manifestOf = (built: BuiltPackage): VersionManifest => ({
  ...built.manifest,
  name: built.name,
  version: built.version,
  dist: { tarball: `http://elsewhere/${built.filename}`, shasum: built.shasum, integrity: built.integrity },
});

const keep = (built: BuiltPackage) => blobs.ingest(Readable.from([built.bytes]), { subject: 'tarball' });

async function publish(name: string, version: string, into = locals): Promise<BuiltPackage> {
  const built = buildPackage({ name, version });
  const { digest, size } = await keep(built);
  time += 1000;
  await into.publish({ name, version, digest, size }, (document) => {
    document.versions[version] = manifestOf(built);
    document.time[version] = new Date(time).toISOString();
    document._attachments[built.filename] = { shasum: built.shasum, version, digest, size };
    document['dist-tags'].latest = version;
  });
  return built;
}

/** As a bundle brings it from where it was published. */
async function bring(name: string, version: string, record: Partial<VersionRecord> = {}): Promise<BuiltPackage> {
  const built = buildPackage({ name, version });
  const { digest, size } = await keep(built);
  const whole = { manifest: manifestOf(built), time: '2026-04-01T00:00:00.000Z', tags: [], ...record };
  time += 1000;
  const at = new Date(time).toISOString();
  const facts = { mediaType: 'application/octet-stream', origin: 'upload', storedAt: at, checkedAt: at };
  const headers = tarballRef(PRIVATE, whole).keep!;
  await catalog.put({ key: tarballKey(PRIVATE, name, version), digest, size, headers, ...facts });
  return built;
}

const takeBack = (name: string, version: string) =>
  locals.change(name, (document) => {
    time += 1000;
    delete document.versions[version];
    delete document.time[version];
    for (const [tag, to] of Object.entries(document['dist-tags']))
      if (to === version) delete document['dist-tags'][tag];
  });

const offered = async (name: string) => Object.keys((await locals.read(name))?.packument.versions ?? {});

describe('what is published here', () => {
  test('is a document, and tarballs that carry what it says of them', async () => {
    await publish('@acme/one', '1.0.0');
    const built = await publish('@acme/one', '1.1.0');
    const found = await locals.read('@acme/one');
    expect(found?.packument).toMatchObject({ _id: '@acme/one', 'dist-tags': { latest: '1.1.0' } });
    expect(found?.packument).not.toHaveProperty('_attachments');
    const entry = await catalog.get(tarballKey(PRIVATE, '@acme/one', '1.1.0'));
    expect(JSON.parse(entry!.headers[RECORD]!)).toMatchObject({ manifest: { version: '1.1.0' }, tags: ['latest'] });
    expect((await blobs.read(entry!.digest, 1 << 20)).equals(built.bytes)).toBe(true);
    // the tag has moved on
    const before = await catalog.get(tarballKey(PRIVATE, '@acme/one', '1.0.0'));
    expect(JSON.parse(before!.headers[RECORD]!)).toMatchObject({ tags: [] });
    expect(await locals.names()).toEqual(['@acme/one']);
    expect(await catalog.keys('publishing/')).toEqual([]);
  });

  test('has a stamp that changes when it does, and not when others do', async () => {
    await publish('one', '1.0.0');
    const { stamp } = (await locals.read('one'))!;
    await publish('other', '1.0.0');
    expect((await locals.read('one'))!.stamp).toBe(stamp);
    await publish('one', '1.1.0');
    expect((await locals.read('one'))!.stamp).not.toBe(stamp);
  });

  test('by several processes at once over one store is all there', async () => {
    const others = [0, 1, 2].map(() => new LocalPackages({ catalog: store.catalog('npm'), blobs, now }));
    const versions = Array.from({ length: 12 }, (_, number) => `1.${number}.0`);
    await Promise.all(versions.map((version, number) => publish('busy', version, others[number % 3])));
    expect((await offered('busy')).sort()).toEqual(versions.sort());
  });

  test('taken back is gone with its tarball; when nothing is left, so is the name', async () => {
    await publish('one', '1.0.0');
    await publish('one', '1.1.0');
    await takeBack('one', '1.1.0');
    expect(await offered('one')).toEqual(['1.0.0']);
    expect(await catalog.keys(tarballKey(PRIVATE, 'one', ''))).toEqual([tarballKey(PRIVATE, 'one', '1.0.0')]);
    await takeBack('one', '1.0.0');
    expect(await locals.read('one')).toBeUndefined();
    expect(await locals.has('one')).toBe(false);
    expect(await locals.names()).toEqual([]);
  });
});

describe('whoever dies', () => {
  test("between the document and the tarball's name leaves a version that is whole", async () => {
    const built = await publish('one', '1.0.0');
    await catalog.delete(tarballKey(PRIVATE, 'one', '1.0.0'));
    const next = new LocalPackages({ catalog, blobs, now });
    expect(Object.keys((await next.read('one'))!.packument.versions)).toEqual(['1.0.0']);
    const entry = await catalog.get(tarballKey(PRIVATE, 'one', '1.0.0'));
    expect((await blobs.read(entry!.digest, 1 << 20)).equals(built.bytes)).toBe(true);
  });

  test('before the document leaves nothing that anybody sees, and the bytes stay until nobody can be at it', async () => {
    const built = buildPackage({ name: '@acme/one', version: '1.0.0' });
    const { digest, size } = await keep(built);
    const dies = locals.publish({ name: '@acme/one', version: '1.0.0', digest, size }, () => {
      throw new Error('the power is gone');
    });
    await expect(dies).rejects.toThrow('the power is gone');
    expect(await locals.read('@acme/one')).toBeUndefined();
    // what a kill leaves: the name of the bytes that are being published
    const at = new Date(time).toISOString();
    const facts = { mediaType: 'x/y', headers: {}, origin: 'upload', storedAt: at, checkedAt: at };
    await catalog.put({ key: `publishing/@acme/one/1.0.0/${digest.slice(7)}`, digest, size, ...facts });
    await locals.recover();
    expect(await catalog.keys('publishing/')).toHaveLength(1);
    time += 2 * HOUR;
    await locals.recover();
    expect(await catalog.keys('publishing/')).toEqual([]);
    expect(await locals.read('@acme/one')).toBeUndefined();
  });

  test('in the middle of publishing loses no bytes to a clean-up: the document has them in the end', async () => {
    const built = await publish('one', '1.0.0');
    const entry = (await catalog.get(tarballKey(PRIVATE, 'one', '1.0.0')))!;
    await catalog.put({ ...entry, headers: {}, key: `publishing/one/1.0.0/${entry.digest.slice(7)}` });
    await catalog.delete(tarballKey(PRIVATE, 'one', '1.0.0'));
    await runGc(store, await planGc(store, { olderThanSeconds: 0, now: Date.now() + HOUR }));
    await new LocalPackages({ catalog, blobs, now }).recover();
    const found = await catalog.get(tarballKey(PRIVATE, 'one', '1.0.0'));
    expect((await blobs.read(found!.digest, 1 << 20)).equals(built.bytes)).toBe(true);
  });

  test('while taking back leaves a version that is gone, and takes its tarball at the next look', async () => {
    await publish('one', '1.0.0');
    await publish('one', '1.1.0');
    const entry = (await catalog.get(tarballKey(PRIVATE, 'one', '1.1.0')))!;
    await takeBack('one', '1.1.0');
    await catalog.put(entry);
    const next = new LocalPackages({ catalog, blobs, now });
    expect(Object.keys((await next.read('one'))!.packument.versions)).toEqual(['1.0.0']);
    expect(await catalog.get(entry.key)).toBeUndefined();
  });
});

test('a version whose tarball cannot be named is not offered, and is when it can; the others are all the while', async () => {
  await publish('one', '1.0.0');
  await publish('one', '1.1.0');
  await catalog.delete(tarballKey(PRIVATE, 'one', '1.1.0'));
  let isFull = true;
  const full = new Proxy(catalog, {
    get(target, field) {
      if (field === 'put' && isFull) return () => Promise.reject(new Error('no room'));
      const value: unknown = Reflect.get(target, field);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const next = new LocalPackages({ catalog: full, blobs, now });
  const versions = async () => Object.keys((await next.read('one'))!.packument.versions);
  expect(await versions()).toEqual(['1.0.0']);
  isFull = false;
  expect(await versions()).toEqual(['1.0.0', '1.1.0']);
});

describe('what a bundle brought', () => {
  test('is made of the tarballs alone, with the tags that pointed at them', async () => {
    await bring('@acme/one', '1.0.0', { tags: ['old'] });
    await bring('@acme/one', '1.1.0', { tags: ['latest'] });
    const { packument } = (await locals.read('@acme/one'))!;
    expect(packument).toMatchObject({ name: '@acme/one', 'dist-tags': { old: '1.0.0', latest: '1.1.0' } });
    expect(packument.time).toMatchObject({ '1.0.0': '2026-04-01T00:00:00.000Z' });
    expect(await locals.names()).toEqual(['@acme/one']);
    expect(await locals.record('@acme/one', '1.1.0')).toMatchObject({ tags: ['latest'] });
  });

  test('of two bundles, the later says where a tag points', async () => {
    await bring('one', '1.1.0', { tags: ['latest'] });
    await bring('one', '1.0.9', { tags: ['latest'] });
    expect((await locals.read('one'))!.packument['dist-tags']).toEqual({ latest: '1.0.9' });
  });

  test('stands beside what is published here, and may be taken back', async () => {
    await bring('one', '1.0.0', { tags: ['latest'] });
    await publish('one', '1.1.0');
    expect(await offered('one')).toEqual(['1.0.0', '1.1.0']);
    await takeBack('one', '1.0.0');
    expect(await offered('one')).toEqual(['1.1.0']);
    await bring('one', '1.0.0');
    expect(await offered('one')).toEqual(['1.1.0', '1.0.0']);
  });

  test('with a record that is none, or of another package, is not offered', async () => {
    await bring('one', '1.0.0');
    const entry = (await catalog.get(tarballKey(PRIVATE, 'one', '1.0.0')))!;
    await catalog.put({ ...entry, key: tarballKey(PRIVATE, 'one', '2.0.0') });
    await catalog.put({ ...entry, key: tarballKey(PRIVATE, 'one', '3.0.0'), headers: { [RECORD]: '{' } });
    expect(await offered('one')).toEqual(['1.0.0']);
  });
});

test('a document that is written all the time is a conflict in words', async () => {
  await publish('one', '1.0.0');
  const other = new LocalPackages({ catalog: store.catalog('npm'), blobs, now });
  const always = locals.change('one', async () => {
    await other.change('one', (document) => {
      document.readme = String(Math.random());
    });
  });
  await expect(always).rejects.toThrow('"one" is being written all the time; try again');
  expect((await catalog.get(localKey('one')))?.origin).toBe('upload');
});

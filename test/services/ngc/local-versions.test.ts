import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../services/ngc/artifact.ts';
import { readFolder } from '../../../services/ngc/folder.ts';
import { artifactKey, fileKey, filesKey, SUMMARY, versionKey, versionsKey } from '../../../services/ngc/keys.ts';
import { addVersion, type LocalVersion } from '../../../services/ngc/local-versions.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';
import { keep, NOW, temporaryFolder } from '../../support/bundles.ts';
import { larder } from '../../support/larder.ts';

const LARGE = randomBytes(2_000_000);
const hash = (name: string, bytes: string | Buffer, coding: 'hex' | 'base64' = 'hex') =>
  createHash(name).update(bytes).digest(coding);
let folder: { path: string; remove(): Promise<void> };
let store: Store;
let time: number;

beforeEach(async () => {
  time = NOW;
  folder = await temporaryFolder();
  store = await openStore(at('store'), { now: Date.now });
  await put('dir/config/metadata.json', '{}');
  await put('dir/weights.pth', LARGE);
});
afterEach(async () => {
  await store.close();
  await folder.remove();
});

const at = (...names: string[]) => join(folder.path, ...names);
async function put(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(at(path)), { recursive: true });
  await writeFile(at(path), content);
}
const place = () => ({ catalog: store.catalog('ngc'), blobs: store.blobs, now: () => time });
async function add(id: string, more: Partial<LocalVersion> = {}, dir = 'dir') {
  return addVersion(place(), { ...parseTarget('models', id), files: await readFolder(at(dir)), ...more });
}
async function held(key: string): Promise<Record<string, { versionId: string }[] | undefined>> {
  const entry = await store.catalog('ngc').get(key);
  return JSON.parse((await store.blobs.read(entry!.digest, 1e6)).toString());
}
const OCRNET = parseTarget('models', 'nvidia/tao/ocrnet:trainable_v1.0');
const { artifact } = OCRNET;

describe('a version that is added here', () => {
  test('has the documents that NGC would have of it, and its files under their names', async () => {
    const facts = { customMetrics: [{ name: 'tao', attributes: [{ key: 'endpoints', value: "['ocrnet']" }] }] };
    expect(await add('nvidia/tao/ocrnet:trainable_v1.0', { facts, model: { displayName: 'OCRNet' } })).toEqual({
      files: 2,
      bytes: LARGE.length + 2,
    });
    const date = new Date(NOW).toISOString();
    expect(await held(filesKey(OCRNET))).toMatchObject({
      modelFiles: [
        { path: 'config/metadata.json', sizeInBytes: 2, sha256_base64: hash('sha256', '{}', 'base64') },
        { path: 'weights.pth', sizeInBytes: LARGE.length, sha256_base64: hash('sha256', LARGE, 'base64') },
      ],
    });
    const modelVersion = {
      ...{ versionId: 'trainable_v1.0', status: 'UPLOAD_COMPLETE', totalFileCount: 2, createdDate: date, ...facts },
      totalSizeInBytes: LARGE.length + 2,
    };
    const model = { name: 'ocrnet', orgName: 'nvidia', teamName: 'tao', displayName: 'OCRNet', createdDate: date };
    expect(await held(versionKey(OCRNET))).toMatchObject({ model, modelVersion });
    expect(await held(versionsKey(artifact))).toMatchObject({ model, modelVersions: [modelVersion] });
    expect(await held(artifactKey(artifact))).toMatchObject({
      model: { ...model, latestVersionIdStr: 'trainable_v1.0', latestVersionSizeInBytes: LARGE.length + 2 },
    });
    const file = await store.catalog('ngc').get(fileKey(OCRNET, 'weights.pth'));
    expect([file!.etag, file!.digest]).toEqual([`"${hash('md5', LARGE)}"`, `sha256:${hash('sha256', LARGE)}`]);
    const summary = JSON.parse((await store.catalog('ngc').get(artifactKey(artifact)))!.headers[SUMMARY]!);
    expect(summary).toMatchObject({ displayName: 'OCRNet', latestVersion: 'trainable_v1.0', isPublic: true });
  });

  test('stands beside those that the artifact has, and the newest is the latest', async () => {
    await add('acme/net:2', { facts: { createdDate: '2026-02-01T00:00:00.000Z' }, model: { displayName: 'Net' } });
    await add('acme/net:1', { facts: { createdDate: '2026-01-01T00:00:00.000Z' } });
    const { artifact: net } = parseTarget('models', 'acme/net:1');
    const { modelVersions } = await held(versionsKey(net));
    expect(modelVersions!.map(({ versionId }) => versionId)).toEqual(['1', '2']);
    expect(await held(artifactKey(net))).toMatchObject({ model: { displayName: 'Net', latestVersionIdStr: '2' } });
  });

  test('stays in the list when many are added at once', async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `v${index}`);
    await Promise.all(ids.map((id) => add(`acme/net:${id}`)));
    const { modelVersions } = await held(versionsKey(parseTarget('models', 'acme/net:1').artifact));
    expect(modelVersions!.map(({ versionId }) => versionId).sort()).toEqual(ids.sort());
  });

  test('takes the place of one of its name, with no file of that left', async () => {
    await add('acme/net:1');
    time += 1000;
    await put('other/only.txt', 'x');
    await add('acme/net:1', {}, 'other');
    const net = parseTarget('models', 'acme/net:1');
    expect(await store.catalog('ngc').keys(fileKey(net, ''))).toEqual([fileKey(net, 'only.txt')]);
    const { modelVersions } = await held(versionsKey(net.artifact));
    expect(modelVersions).toMatchObject([{ totalFileCount: 1, createdDate: new Date(NOW).toISOString() }]);
  });

  test('of a resource speaks of recipes', async () => {
    const resource = parseTarget('resources', 'nvidia/clara/tool:1');
    await addVersion(place(), { ...resource, files: await readFolder(at('dir')) });
    expect(await held(versionKey(resource))).toMatchObject({
      recipe: { name: 'tool' },
      recipeVersion: { totalFileCount: 2 },
    });
    expect(await held(filesKey(resource))).toMatchObject({ recipeFiles: [{}, {}] });
    expect(await held(versionsKey(resource.artifact))).toMatchObject({ recipeVersions: [{ versionId: '1' }] });
  });
});

describe('what is held from NGC', () => {
  const list = (size: number, sha256: string) =>
    Buffer.from(JSON.stringify({ modelFiles: [{ path: 'a.txt', sizeInBytes: size, sha256_base64: sha256 }] }));

  test('keeps its documents, and takes the files that they tell of', async () => {
    const files = list(1, hash('sha256', 'a', 'base64'));
    await keep(store, 'ngc', filesKey(OCRNET), files);
    await put('a/a.txt', 'a');
    await add('nvidia/tao/ocrnet:trainable_v1.0', {}, 'a');
    expect((await store.catalog('ngc').keys()).sort()).toEqual([fileKey(OCRNET, 'a.txt'), filesKey(OCRNET)]);
    expect(await store.blobs.read((await store.catalog('ngc').get(filesKey(OCRNET)))!.digest, 1e6)).toEqual(files);
  });

  test.each([
    ['has another size', list(2, hash('sha256', 'a', 'base64')), /a\.txt.*NGC has 2 bytes of it, here are 1/],
    ['is another one', list(1, hash('sha256', 'b', 'base64')), /a\.txt.*sha256 .* was promised/],
    ['is not listed', Buffer.from('{"modelFiles":[]}'), /a\.txt.*NGC lists no such file/],
  ])('refuses a file that %s', async (_what, files, message) => {
    await keep(store, 'ngc', filesKey(OCRNET), files);
    await put('a/a.txt', 'a');
    await expect(add('nvidia/tao/ocrnet:trainable_v1.0', {}, 'a')).rejects.toThrow(message);
    expect(await store.catalog('ngc').keys()).toEqual([filesKey(OCRNET)]);
  });

  test('lists that know the version stay as they came, also when its own documents are not there', async () => {
    const versions = Buffer.from(
      '{"model":{"name":"ocrnet"},"modelVersions":[{"versionId":"trainable_v1.0","accuracyReached":0.9}]}',
    );
    await keep(store, 'ngc', versionsKey(artifact), versions);
    await keep(store, 'ngc', artifactKey(artifact), Buffer.from('{"model":{"name":"ocrnet","publisher":"NVIDIA"}}'));
    await add('nvidia/tao/ocrnet:trainable_v1.0');
    const kept = await store.catalog('ngc').get(versionsKey(artifact));
    expect(await store.blobs.read(kept!.digest, 1e6)).toEqual(versions);
    expect(await held(versionKey(OCRNET))).toMatchObject({
      model: { publisher: 'NVIDIA' },
      modelVersion: { accuracyReached: 0.9, totalFileCount: 2 },
    });
  });
});

describe('nothing is added', () => {
  const isEmpty = async () => (await store.catalog('ngc').keys()).length === 0;

  test.each([
    ['a path leads out', '../a', /"\.\.\/a" cannot be the path/],
    ['a path has an empty part', 'a//b', /cannot be the path/],
    ['a path begins with a slash', '/a', /cannot be the path/],
  ])('when %s', async (_what, path, message) => {
    const files = [{ path, place: at('dir/weights.pth'), size: LARGE.length }];
    await expect(add('acme/net:1', { files })).rejects.toThrow(message);
    expect(await isEmpty()).toBe(true);
  });

  test('when a path is there twice, or is a file and a folder', async () => {
    const file = (path: string) => ({ path, place: at('dir/weights.pth'), size: LARGE.length });
    await expect(add('acme/net:1', { files: [file('a'), file('a')] })).rejects.toThrow(/"a" is there twice/);
    await expect(add('acme/net:1', { files: [file('a'), file('a/b')] })).rejects.toThrow(/"a" is a file and a folder/);
    expect(await isEmpty()).toBe(true);
  });

  test('when a file is not what was promised of it', async () => {
    const files = [{ path: 'w', place: at('dir/weights.pth'), size: LARGE.length, sha256: hash('sha256', 'other') }];
    await expect(add('acme/net:1', { files })).rejects.toThrow(/"w" is damaged or another one.*Nothing was added/);
    expect(await isEmpty()).toBe(true);
  });

  test('when a link leads out of the folder', async () => {
    await symlink('/etc/passwd', at('dir/link'));
    await expect(add('acme/net:1')).rejects.toThrow(/"link" is a link that leads out/);
  });
});

describe('larder ngc add', () => {
  const run = (...args: string[]) => larder(['ngc', 'add', at('dir'), '--store', at('cli'), ...args]);

  test('says what it made', async () => {
    const facts = at('facts.json');
    await put('facts.json', '{"modelVersion":{"description":"ours"}}');
    expect(await run('--model', 'acme/team/net:1.0+a', '--facts', facts)).toMatchObject({
      code: 0,
      stdout: 'model acme/team/net:1.0+a: 2 files, 1.91 MiB\n',
    });
    const json = await larder(['--json', 'ngc', 'add', at('dir'), '--store', at('cli'), '--resource', 'acme/tool:1']);
    expect(JSON.parse(json.stdout)).toMatchObject({ event: 'added', kind: 'resources', org: 'acme', files: 2 });
  });

  test.each([
    [['--model', 'net:1'], 1, /"net:1" is not org\/team\/name:version/],
    [['--model', 'acme/net'], 1, /is not org\/team\/name:version/],
    [[], 2, /with --model, or with --resource/],
    [['--model', 'a/b:1', '--facts', '/nowhere'], 2, /is to be JSON like/],
  ])('refuses %j in words', async (args, code, message) => {
    const ran = await run(...args);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });

  test('adds nothing when a file changes meanwhile', async () => {
    const files = await readFolder(at('dir'));
    const change = () => appendFileSync(at('dir/config/metadata.json'), ' ');
    const options = { added: (path: string) => void (path === 'weights.pth' && change()) };
    const { checkUnchanged } = await import('../../../services/ngc/folder.ts');
    const beforeNames = () => checkUnchanged(at('dir'), files);
    const adding = addVersion(place(), { ...parseTarget('models', 'acme/net:1'), files }, { ...options, beforeNames });
    await expect(adding).rejects.toThrow(/config\/metadata\.json changed while it was being read/);
    expect(await store.catalog('ngc').keys()).toEqual([]);
  });
});

import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NgcConfig } from '../../../services/ngc/config.ts';
import {
  artifactKey,
  fileKey,
  filesKey,
  SUMMARY,
  type Summary,
  versionKey,
  versionsKey,
} from '../../../services/ngc/keys.ts';
import { digestOf } from '../../../shared/model/digest.ts';
import type { Context } from '../../../shared/service/service.ts';
import { NOW } from '../../support/asking.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { type NgcOrigin, startNgc } from '../../support/ngc-origin.ts';
import { descriptionOf, type Site, startSite } from './support.ts';

const GUEST = '/v2/models/nvidia/tao/ocrnet';
const SCOPED = '/v2/org/nvidia/team/tao/models/ocrnet';
const METRICS = '"customMetrics":[{"name":"m","attributes":[{"key":"endpoints","value":"[\'ocrnet\']"}]}]';

let folder: { path: string; remove(): Promise<void> };
let ngc: NgcOrigin;
let site: Site;
/** Documents as they were while there was a network. */
const before = new Map<string, string>();

beforeAll(async () => {
  folder = await temporaryFolder();
  ngc = await startNgc();
  const versionFields = { customMetrics: [{ name: 'm', attributes: [{ key: 'endpoints', value: "['ocrnet']" }] }] };
  for (const version of ['v1.0', 'v2.0+ba20', 'v3.0'])
    ngc.add({ id: 'nvidia/tao/ocrnet', version, files: { 'a.pth': version, 'b/c.yaml': 'b' }, versionFields });
  for (const version of ['1', '2']) ngc.add({ id: 'nvidia/genmol', version, files: { x: version } });
  const connected = await startSite({}, { ngc, store: folder.path });
  // as a README has it: a file by its address, and nothing else
  expect((await connected.ask(`${GUEST}/versions/v2.0%2Bba20/files/a.pth`)).text).toBe('v2.0+ba20');
  expect((await connected.ask(`${GUEST}/versions/v1.0/files/a.pth`)).status).toBe(200);
  // one that is looked at, and not taken
  expect((await connected.ask(`${GUEST}/versions/v3.0`)).status).toBe(200);
  await connected.larder.settled();
  for (const rest of ['/versions/v1.0', '/versions/v2.0%2Bba20', '/versions/v1.0/files'])
    before.set(rest, (await connected.ask(GUEST + rest)).text);
  await connected.close();
  await ngc.close();
  site = await startSite({}, { ngc, store: folder.path, mode: 'airgapped' });
});
afterAll(async () => {
  await site?.close();
  await folder?.remove();
});

describe('without a network', () => {
  test('documents are what they were, byte for byte', async () => {
    for (const [rest, text] of before) expect((await site.ask(SCOPED + rest)).text).toBe(text);
    expect(before.get('/versions/v1.0')).toContain(METRICS);
  });

  test('a model that was met by a file alone is known, and its latest version is the one that is held', async () => {
    const { model } = await site.json<{ model: object }>(GUEST);
    expect(model).toMatchObject({ name: 'ocrnet', latestVersionIdStr: 'v2.0+ba20', latestVersionSizeInBytes: 10 });
    const entry = await site.larder.context('ngc').catalog.get('artifact/models/nvidia/tao/ocrnet');
    expect(JSON.parse(entry!.headers[SUMMARY]!)).toMatchObject({
      displayName: 'ocrnet',
      publisher: 'NVIDIA',
      isPublic: true,
    } satisfies Partial<Summary>);
  });

  test('lists name what is held, and nothing else', async () => {
    const list = await site.json<{ model: object; modelVersions: object[]; paginationInfo: object }>(
      `${GUEST}/versions/`,
    );
    expect(list.modelVersions).toMatchObject([{ versionId: 'v2.0+ba20' }, { versionId: 'v1.0' }]);
    expect(list.model).toMatchObject({ latestVersionIdStr: 'v2.0+ba20' });
    expect(list.paginationInfo).toMatchObject({ totalPages: 1, totalResults: 2 });
    expect((await site.ask(`${GUEST}/versions`)).text).toContain(METRICS);
  });

  test('files come; those of a held version that are not held are said to be missing, and wanted', async () => {
    expect((await site.ask(`${GUEST}/versions/v1.0/files/a.pth`)).text).toBe('v1.0');
    const missing = await site.ask(`${GUEST}/versions/v1.0/files/b/c.yaml`);
    expect([missing.status, descriptionOf(missing)]).toEqual([404, expect.stringMatching(/b\/c\.yaml.*list of wants/)]);
    expect((await site.ask(`${GUEST}/versions/v1.0/files/nothing`)).status).toBe(404);
    expect((await site.ask('/v2/models/nvidia/other/versions/7/files/x')).status).toBe(404);
    const wants = await Array.fromAsync(site.larder.context('ngc').wants.list());
    expect(wants.map(({ item }) => item)).toEqual(
      expect.arrayContaining([{ ngc: 'nvidia/tao/ocrnet:v1.0', include: ['b/c.yaml'] }, { ngc: 'nvidia/other:7' }]),
    );
  });

  test('a model of which no file is held is described, and has no versions', async () => {
    const { catalog } = site.larder.context('ngc');
    for (const kind of ['artifact', 'versions'] as const) {
      const known = await catalog.get(`${kind}/models/nvidia/tao/ocrnet`);
      await catalog.put({ ...known!, key: `${kind}/models/nvidia/tao/other` });
    }
    expect(await site.json('/v2/models/nvidia/tao/other')).toMatchObject({ model: { latestVersionIdStr: 'v3.0' } });
    expect(await site.json('/v2/models/nvidia/tao/other/versions')).toMatchObject({ modelVersions: [] });
    await catalog.delete('versions/models/nvidia/tao/other');
    expect((await site.ask('/v2/models/nvidia/tao/other')).status).toBe(200);
    expect((await site.ask('/v2/models/nvidia/tao/other/versions')).status).toBe(404);
  });

  test('addresses of a held version are all there', async () => {
    const { filepath, urls } = await site.json<{ filepath: string[]; urls: string[] }>(`${SCOPED}/v1.0/files`);
    expect(filepath).toEqual(['a.pth', 'b/c.yaml']);
    expect(await (await fetch(urls[0]!)).text()).toBe('v1.0');
  });
});

describe('versions whose lists are not held', () => {
  test('are listed by their own documents, the newest first', async () => {
    const { catalog, blobs } = site.larder.context('ngc') as Context<NgcConfig>;
    const artifact = { kind: 'models', org: 'lab', name: 'net' } as const;
    const at = new Date(NOW).toISOString();
    const put = async (key: string, text: string) => {
      const bytes = Buffer.from(text);
      const digest = digestOf(bytes);
      await blobs.put(digest, bytes.length, Readable.from([bytes], { objectMode: false }));
      const stamps = { origin: 'folder', storedAt: at, checkedAt: at };
      await catalog.put({ key, digest, size: bytes.length, mediaType: 'application/json', headers: {}, ...stamps });
    };
    for (const [version, createdDate] of [
      ['old', '2026-01-01T00:00:00Z'],
      ['new', '2026-02-01T00:00:00Z'],
    ] as const) {
      const of = { artifact, version };
      const fields = `{"versionId":"${version}","status":"UPLOAD_COMPLETE","createdDate":"${createdDate}","totalSizeInBytes":3}`;
      await put(versionKey(of), `{"model":{"name":"net","orgName":"lab"},"modelVersion":${fields}}`);
      await put(filesKey(of), '{"modelFiles":[{"path":"x","sizeInBytes":3}]}');
      await put(fileKey(of, 'x'), version);
    }
    const list = await site.json<{ model: object; modelVersions: object[] }>('/v2/models/lab/net/versions');
    expect(list.modelVersions).toMatchObject([{ versionId: 'new' }, { versionId: 'old' }]);
    expect(list.model).toEqual({
      name: 'net',
      orgName: 'lab',
      latestVersionIdStr: 'new',
      latestVersionSizeInBytes: 3,
    });
    expect(await site.json('/v2/models/lab/net')).toEqual({ model: list.model });
    const file = await site.ask('/v2/models/lab/net/versions/new/files/x');
    expect([file.text, file.headers.get('etag')]).toEqual(['new', `"${digestOf('new').slice('sha256:'.length)}"`]);
    for (const key of [artifactKey(artifact), versionsKey(artifact)]) expect(await catalog.get(key)).toBeUndefined();
  });
});

describe('what was added here', () => {
  test('is asked of nobody while there is a network', async () => {
    const live = await startNgc();
    const connected = await startSite({}, { ngc: live, store: folder.path });
    const { catalog } = connected.larder.context('ngc');
    const [version] = await catalog.list('version/models/lab/net:new');
    await catalog.put({ ...version!, key: artifactKey({ kind: 'models', org: 'lab', name: 'net' }) });
    expect((await connected.ask('/v2/models/lab/net')).status).toBe(200);
    expect((await connected.ask('/v2/models/lab/net/versions/new/files/x')).text).toBe('new');
    for (const rest of ['/versions/other', '/versions/other/files/x', '/versions/new/files/y', '/other/files'])
      expect((await connected.ask(`/v2/models/lab/net${rest}`)).status).toBe(404);
    await connected.larder.settled();
    expect(live.calls()).toEqual([]);
    // once something of NGC's is held beside it, the rest is NGC's as well
    await catalog.put({ ...version!, key: 'version/models/lab/net:pulled', origin: 'https://api.ngc.nvidia.com/v2/x' });
    expect((await connected.ask('/v2/models/lab/net/versions/other')).status).toBe(404);
    expect(live.count('/lab/net/versions/other')).toBe(1);
    await connected.close();
    await live.close();
  });
});

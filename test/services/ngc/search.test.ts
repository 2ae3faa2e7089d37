import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseTarget } from '../../../services/ngc/artifact.ts';
import { artifactKey, SUMMARY } from '../../../services/ngc/keys.ts';
import { addVersion } from '../../../services/ngc/local-versions.ts';
import { keep, temporaryFolder } from '../../support/bundles.ts';
import { manyNames, namesOf } from '../../support/ngc-names.ts';
import { descriptionOf, type Site, startSite } from './support.ts';

interface Answer {
  resultTotal: number;
  resultPageTotal: number;
  params: Record<string, unknown>;
  results: { groupValue: string; totalCount: number; resources: Record<string, unknown>[] }[];
}

const search = (site: Site, where: string, q?: object | string) => {
  const text = typeof q === 'object' ? JSON.stringify(q) : q;
  return site.json<Answer>(`/v2/search/${where}${text === undefined ? '' : `?q=${encodeURIComponent(text)}`}`);
};
const idsOf = ({ results }: Answer, type = 'MODEL') =>
  results
    .filter(({ groupValue }) => groupValue === type)
    .flatMap(({ resources }) => resources.map((one) => one.resourceId));

describe('behind the gap', () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite({}, { mode: 'airgapped' });
    const catalog = site.larder.store.catalog('ngc');
    await catalog.putMany([
      ...namesOf('nvidia/tao/ocrnet:trainable_v1.0', {
        displayName: 'OCR Net',
        description: 'reads text in pictures',
        publisher: 'NVIDIA',
        modelFormat: 'ONNX',
        labels: ['vision', 'ocr'],
        updatedDate: '2026-03-01T00:00:00.000Z',
      }),
      ...namesOf('nvidia/tao/dino:v2', {
        displayName: 'DINO',
        labels: ['vision'],
        updatedDate: '2026-02-01T00:00:00.000Z',
      }),
      ...namesOf('nvidia/genmol:1.0', { displayName: 'GenMol', isPublic: false }),
      ...namesOf('acme/vision/detector:7', { displayName: 'Detector' }),
      ...namesOf('nvidia/ngc-apps/ngc_cli:4.9.10', { displayName: 'NGC CLI' }, 'resources'),
    ]);
    // of this nothing but its description was ever asked for
    await catalog.put({
      ...(await catalog.get(artifactKey(parseTarget('models', 'nvidia/tao/dino:v2').artifact)))!,
      key: artifactKey(parseTarget('models', 'nvidia/tao/only-looked-at:1').artifact),
    });
  });
  afterAll(() => site?.close());

  test('all that is held of a type is found, in the words of NGC', async () => {
    const answer = await search(site, 'catalog/resources/MODEL', { query: 'resourceId:*', page: 0, pageSize: 100 });
    expect(idsOf(answer)).toEqual(['acme/vision/detector', 'nvidia/genmol', 'nvidia/tao/dino', 'nvidia/tao/ocrnet']);
    expect(answer).toMatchObject({
      resultTotal: 4,
      resultPageTotal: 1,
      params: { page: 0, pageSize: 100, query: 'resourceId:*' },
    });
    expect(answer.results.map(({ groupValue, totalCount }) => [groupValue, totalCount])).toEqual([['MODEL', 4]]);
    expect(answer.results[0]!.resources[3]).toEqual({
      resourceId: 'nvidia/tao/ocrnet',
      resourceType: 'MODEL',
      orgName: 'nvidia',
      teamName: 'tao',
      name: 'ocrnet',
      displayName: 'OCR Net',
      description: 'reads text in pictures',
      createdBy: 'NVIDIA',
      isPublic: true,
      guestAccess: true,
      dateCreated: '2026-01-01T00:00:00.000Z',
      dateModified: '2026-03-01T00:00:00.000Z',
      msgTimestamp: Date.parse('2026-03-01'),
      labels: [
        { key: 'publisher', values: ['NVIDIA'] },
        { key: 'general', values: ['vision', 'ocr'] },
      ],
      attributes: [
        { key: 'latestVersionIdStr', value: 'trainable_v1.0' },
        { key: 'latestVersionSizeInBytes', value: '7' },
        { key: 'format', value: 'ONNX' },
      ],
      sharedWithOrgs: [],
      sharedWithTeams: [],
    });
    expect(idsOf(await search(site, 'catalog/resources/RECIPE'), 'RECIPE')).toEqual(['nvidia/ngc-apps/ngc_cli']);
  });

  test('each of the four searches finds what is its own', async () => {
    expect(idsOf(await search(site, 'resources/MODEL'))).toHaveLength(4);
    expect(idsOf(await search(site, 'org/nvidia/resources/MODEL'))).toEqual([
      'nvidia/genmol',
      'nvidia/tao/dino',
      'nvidia/tao/ocrnet',
    ]);
    expect(idsOf(await search(site, 'org/nvidia/team/tao/resources/MODEL'))).toEqual([
      'nvidia/tao/dino',
      'nvidia/tao/ocrnet',
    ]);
    expect(await search(site, 'subscriber/catalog/resources/MODEL', { query: 'resourceId:*' })).toMatchObject({
      resultTotal: 0,
      resultPageTotal: 0,
      results: [],
    });
  });

  test.each([
    ['resourceId:nvidia/tao/*', ['nvidia/tao/dino', 'nvidia/tao/ocrnet']],
    ['resourceId:nvidia/*', ['nvidia/genmol', 'nvidia/tao/dino', 'nvidia/tao/ocrnet']],
    ['resourceId:nvidia\\/tao\\/ocr*', ['nvidia/tao/ocrnet']],
    ['resourceId:"nvidia/tao/dino"', ['nvidia/tao/dino']],
    ['resourceId:*/d?no', ['nvidia/tao/dino']],
    ['resourceId:dino', ['nvidia/tao/dino']],
    ['resourceId:nvidia/tao', []],
    ['orgName:acme', ['acme/vision/detector']],
    ['ocr', ['nvidia/tao/ocrnet']],
    ['reads PICTURES', ['nvidia/tao/ocrnet']],
    ['displayName:"ocr net"', ['nvidia/tao/ocrnet']],
    ['(dino OR genmol)', ['nvidia/genmol', 'nvidia/tao/dino']],
    ['vision AND orgName:nvidia', ['nvidia/tao/dino', 'nvidia/tao/ocrnet']],
    ['nobody', []],
    ['nosuchfield:x', []],
    ['*:*', ['acme/vision/detector', 'nvidia/genmol', 'nvidia/tao/dino', 'nvidia/tao/ocrnet']],
  ])('"%s" finds %j', async (query, ids) => {
    expect(idsOf(await search(site, 'catalog/resources/MODEL', { query, pageSize: 100 }))).toEqual(ids);
  });

  test.each([
    [[{ field: 'orgName', value: 'acme' }], ['acme/vision/detector']],
    [
      [
        { field: 'teamName', value: 'tao' },
        { field: 'labels', value: 'ocr' },
      ],
      ['nvidia/tao/ocrnet'],
    ],
    [
      [
        { field: 'name', value: 'dino' },
        { field: 'name', value: 'genmol' },
      ],
      ['nvidia/genmol', 'nvidia/tao/dino'],
    ],
    [[{ field: 'isPublic', value: false }], ['nvidia/genmol']],
    [[{ field: 'signedModels', value: true }], []],
  ])('the filters %j leave %j', async (filters, ids) => {
    expect(idsOf(await search(site, 'catalog/resources/MODEL', { query: '*', filters }))).toEqual(ids);
  });

  test('the order that is asked for is kept, and "score" means that of ids', async () => {
    const ordered = async (orderBy: object[]) => idsOf(await search(site, 'resources/MODEL', { orderBy }));
    expect(await ordered([{ field: 'score', value: 'ASC' }])).toEqual([
      'acme/vision/detector',
      'nvidia/genmol',
      'nvidia/tao/dino',
      'nvidia/tao/ocrnet',
    ]);
    expect((await ordered([{ field: 'dateModified', value: 'DESC' }])).slice(0, 2)).toEqual([
      'nvidia/tao/ocrnet',
      'nvidia/tao/dino',
    ]);
    expect(
      (
        await ordered([
          { field: 'orgName', value: 'DESC' },
          { field: 'name', value: 'DESC' },
        ])
      )[0],
    ).toBe('nvidia/tao/ocrnet');
  });

  test('pages are counted from 0, and one behind the last is empty', async () => {
    const pages = await Promise.all([0, 1, 2].map((page) => search(site, 'resources/MODEL', { page, pageSize: 3 })));
    expect(pages.map((page) => idsOf(page).length)).toEqual([3, 1, 0]);
    expect(pages.map(({ resultPageTotal, resultTotal }) => [resultPageTotal, resultTotal])).toEqual(
      Array(3).fill([2, 4]),
    );
  });

  test('fields that are asked for are told, and what says which one it is', async () => {
    const q = { fields: ['displayName'], query: 'resourceId:nvidia/genmol' };
    const { results } = await search(site, 'resources/MODEL', q);
    expect(Object.keys(results[0]!.resources[0]!).sort()).toEqual(
      ['displayName', 'msgTimestamp', 'name', 'orgName', 'resourceId', 'resourceType'].sort(),
    );
  });

  test.each(['CONTAINER', 'HELM_CHART', 'COLLECTION'])('of the type %s nothing is found', async (type) => {
    const answer = await search(site, `catalog/resources/${type}`, { query: 'orgName:nim' });
    expect(answer).toMatchObject({ resultTotal: 0, resultPageTotal: 0, results: [] });
  });

  test.each(['{', '[]', '"x"', '{"pageSize":0}', '{"page":-1}', '{"query":7}', '{"filters":"x"}'])(
    'q=%s is a bad request in the words of NGC',
    async (q) => {
      const answer = await site.ask(`/v2/search/catalog/resources/MODEL?q=${encodeURIComponent(q)}`);
      expect(answer.status).toBe(400);
      expect(descriptionOf(answer)).toMatch(/"q" of the search/);
    },
  );

  test.each(['org/%zz', 'org/nvidia/team/%E0%A4'])(
    'the broken escape in %s is the mistake of who asks',
    async (scope) => {
      const answer = await site.ask(`/v2/search/${scope}/resources/MODEL`);
      expect([answer.status, descriptionOf(answer)]).toEqual([400, expect.stringMatching(/broken %-escape/)]);
    },
  );

  test('a trailing slash, doubled ones and HEAD are taken', async () => {
    for (const path of ['/v2/search/catalog/resources/MODEL/', '//v2/search//catalog/resources/MODEL'])
      expect([path, (await site.ask(path)).status]).toEqual([path, 200]);
    const head = await site.ask('/v2/search/catalog/resources/MODEL', { method: 'HEAD' });
    expect([head.status, head.bytes.length]).toEqual([200, 0]);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(100);
  });
});

test('what a bundle says of a model is not believed: it is found by its name', async () => {
  const site = await startSite({}, { mode: 'airgapped' });
  try {
    const catalog = site.larder.store.catalog('ngc');
    const odd = ['{', 'null', '7', '{"labels":7,"displayName":{},"latestSize":"x"}'];
    for (const [index, text] of odd.entries()) {
      const [artifact, ...others] = namesOf(`acme/odd${index}:1`);
      await catalog.putMany([{ ...artifact!, headers: { [SUMMARY]: text } }, ...others]);
      // the document that is read in its place
      await keep(site.larder.store, 'ngc', others[0]!.key, Buffer.from('{"model":{"displayName":"read"}}'));
    }
    const { results } = await search(site, 'catalog/resources/MODEL');
    expect(results[0]!.resources.map(({ displayName }) => displayName)).toEqual(['read', 'read', 'odd2', 'odd3']);
  } finally {
    await site.close();
  }
});

test('of 2,000 models the right ones are found, what is new with them, and patterns that mean harm end', async () => {
  const site = await startSite({}, { mode: 'airgapped' });
  try {
    const catalog = site.larder.store.catalog('ngc');
    await catalog.putMany(manyNames(2000));
    const total = async (query: string) =>
      (await search(site, 'catalog/resources/MODEL', { query, pageSize: 100 })).resultTotal;
    expect(await total('resourceId:nvidia/team7/*')).toBe(100);
    expect(await total('this label3')).toBe(286);
    expect(await total('resourceId:*new')).toBe(0);
    await catalog.putMany(namesOf('nvidia/new:v1'));
    site.clock.now += 10_000;
    expect(await total('resourceId:*new')).toBe(1);
    const started = performance.now();
    expect(await total(`resourceId:${'*a'.repeat(100)}*b`)).toBe(0);
    expect(performance.now() - started).toBeLessThan(10_000);
  } finally {
    await site.close();
  }
});

describe('with an origin', () => {
  let site: Site;
  let keyed: Site;
  beforeAll(async () => {
    site = await startSite({ private: ['acme/secret*'], deny: ['nvidia/denied/*'] });
    const { ngc } = site;
    keyed = await startSite({ apiKey: 'nvapi-site' }, { accounts: [{ key: 'nvapi-site', orgs: ['acme'] }] });
    for (const origin of [ngc, keyed.ngc]) {
      origin.add({ id: 'nvidia/tao/ocrnet', version: 'v1', files: { 'a.pth': 'a' } });
      origin.add({ id: 'nvidia/tao/dino', version: 'v1', files: { 'a.pth': 'a' } });
      origin.add({ id: 'nvidia/denied/x', version: 'v1', files: { 'a.pth': 'a' } });
      origin.add({ id: 'acme/own/thing', version: 'v1', files: { 'a.pth': 'a' }, access: 'private' });
    }
    const folder = await temporaryFolder();
    await writeFile(join(folder.path, 'w.pth'), 'weights');
    const files = [{ path: 'w.pth', size: 7, place: join(folder.path, 'w.pth') }];
    const { catalog, blobs, now } = site.larder.context('ngc');
    for (const target of ['nvidia/tao/dino:ours', 'acme/lab/local:1'])
      await addVersion({ catalog, blobs, now }, { ...parseTarget('models', target), files });
    await folder.remove();
  });
  afterAll(async () => {
    await site?.close();
    await keyed?.close();
  });

  test('what it finds at this moment is found, what was added here before it, and what may not be had left out', async () => {
    const answer = await search(site, 'catalog/resources/MODEL', { query: 'resourceId:*', pageSize: 100 });
    expect(idsOf(answer)).toEqual(['acme/lab/local', 'nvidia/tao/dino', 'nvidia/tao/ocrnet']);
    expect(answer.resultTotal).toBe(4);
    site.ngc.add({ id: 'nvidia/tao/newest', version: 'v1', files: { a: 'a' } });
    expect(idsOf(await search(site, 'catalog/resources/MODEL', { query: 'resourceId:*newest' }))).toEqual([
      'nvidia/tao/newest',
    ]);
    expect(await site.larder.store.catalog('ngc').keys('asked')).toEqual([]);
  });

  test('a guest of NGC’s is shown the public catalog wherever a client looks for all', async () => {
    const answer = await search(site, 'resources/MODEL', { query: 'resourceId:nvidia/tao/*', pageSize: 1000 });
    expect(idsOf(answer)).toContain('nvidia/tao/ocrnet');
    expect(site.ngc.count('/v2/search/resources/')).toBe(0);
    expect(idsOf(await search(site, 'org/acme/resources/MODEL'))).toEqual(['acme/lab/local']);
    expect((await search(site, 'subscriber/catalog/resources/MODEL')).results).toEqual([]);
  });

  test('private names are looked for here alone', async () => {
    const answer = await search(site, 'catalog/resources/MODEL', { query: 'resourceId:acme/secret/*' });
    expect(answer.resultTotal).toBe(0);
    expect(site.ngc.count('secret')).toBe(0);
  });

  test('the key of the mirror opens what is its org’s', async () => {
    expect(idsOf(await search(keyed, 'org/acme/resources/MODEL'))).toEqual(['acme/own/thing']);
    expect(idsOf(await search(keyed, 'org/acme/team/own/resources/MODEL'))).toEqual(['acme/own/thing']);
    expect((await search(keyed, 'subscriber/catalog/resources/MODEL')).results).toEqual([]);
  });

  test('what an org that refuses the key shows to all is found in the catalog alone: clients unite both', async () => {
    expect((await keyed.ask('/v2/org/nvidia/team/tao/models/ocrnet/versions/v1/files/a.pth')).status).toBe(200);
    await keyed.larder.settled();
    keyed.clock.now += 10_000;
    expect(idsOf(await search(keyed, 'org/nvidia/resources/MODEL'))).toEqual([]);
    expect(idsOf(await search(keyed, 'catalog/resources/MODEL', { query: 'resourceId:*ocrnet' }))).toHaveLength(1);
  });

  test('what is held answers where it does not', async () => {
    keyed.clock.now += 10_000;
    await keyed.ngc.goDark();
    const answer = await search(keyed, 'catalog/resources/MODEL', { query: 'resourceId:*' });
    expect(idsOf(answer)).toEqual(['nvidia/tao/ocrnet']);
    await keyed.ngc.comeBack();
  });
});

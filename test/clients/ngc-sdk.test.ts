import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { sha256 } from '../support/hub-sites.ts';
import { answerOf } from '../support/library-content.ts';
import { type NgcPlace, type NgcSites, SITE, startNgcSites } from '../support/ngc-sites.ts';
import { FILES, ITEMS, METRICS, WISHES } from '../support/ngc-works.ts';
import { filesIn } from '../support/s3-site.ts';
import { larder } from '../support/spawn-larder.ts';

const CALLS = join(import.meta.dirname, '../fixtures/python/ngc/sdk_calls.py');
const SITE_KEY = { key: 'nvapi-of-the-site', orgs: ['acme'], teams: { acme: ['lab'] } };
const KEYED = { LARDER_NGC_API_KEY: SITE_KEY.key, LARDER_NGC_ORG: 'acme' };
/** The newest; one of the year before; the last that leaves http as it is, which is how it is told where Larder is. */
const CLIENTS = ['ngcsdk', 'ngcsdk-4.9', 'ngcsdk-3'];
const placeFor = (name: string, { larder }: NgcPlace) => (name === 'ngcsdk-3' ? larder.urls.ngc! : SITE);

const OCRNET = 'nvidia/tao/ocrnet';
const PLUS = `${OCRNET}:0.11.1+ba20956e-l40sx1`;
const NOTEBOOKS = 'nvidia/tao/notebooks:5.5';

type Call = [call: string, kind: 'model' | 'resource', target: string, how: Record<string, unknown>];
const READING: Record<string, Call> = {
  models: ['list', 'model', 'nvidia/tao/*', {}],
  resources: ['list', 'resource', 'nvidia/tao/*', {}],
  versions: ['list', 'model', `${OCRNET}:*`, {}],
  trainable: ['list', 'model', `${OCRNET}:train*`, {}],
  info: ['info', 'model', OCRNET, {}],
  version: ['info', 'model', `${OCRNET}:trainable_v1.0`, {}],
  resource: ['info', 'resource', NOTEBOOKS, {}],
  files: ['files', 'model', PLUS, {}],
  many: ['files', 'resource', NOTEBOOKS, {}],
  missing: ['info', 'model', `${OCRNET}:none`, {}],
};
const DOWNLOADS: Record<string, Call> = {
  whole: ['download', 'model', PLUS, { destination: 'whole' }],
  chosen: ['download', 'model', `${OCRNET}:trainable_v1.0`, { destination: 'chosen', file_patterns: ['*.pth', 'a+*'] }],
  others: ['download', 'model', `${OCRNET}:trainable_v1.0`, { destination: 'others', exclude_patterns: ['weights/*'] }],
  teamless: ['download', 'model', 'nvidia/genmol:1.0.0', { destination: 'teamless' }],
  notebooks: ['download', 'resource', NOTEBOOKS, { destination: 'notebooks' }],
  some: ['download', 'resource', NOTEBOOKS, { destination: 'some', file_patterns: ['notebooks/3/*'] }],
};
const REFUSED: Record<string, Call> = {
  licensed: ['download', 'model', 'nvidia/licensed:1', { destination: 'no' }],
  banned: ['download', 'model', 'nvidia/banned:1', { destination: 'no' }],
};
const PRIVATE: Record<string, Call> = {
  own: ['download', 'model', 'acme/own:1', { destination: 'own' }],
};

type Outcome = Record<string, unknown> & { error?: string; message?: string };

let sites: NgcSites;

beforeAll(async () => {
  sites = await startNgcSites({
    wishes: WISHES,
    items: ITEMS,
    origin: { accounts: [SITE_KEY], pageSize: 50, cdnName: 'localhost' },
    settings: KEYED,
  });
});
afterAll(() => sites?.close());

/** Lets the SDK make these calls at a place; gives what each gave, and the files that it wrote. */
async function sdk(place: NgcPlace, name: string, calls: Record<string, Call>, key?: string) {
  const wish = { calls, ...(key ? { key, org: 'acme' } : {}) };
  const ran = await place.run(join(await client(name), 'python'), [CALLS, JSON.stringify(wish)], {
    env: {
      NGC_CLI_API_URL: placeFor(name, place),
      NGC_CLI_AUTH_URL: placeFor(name, place),
      NGC_CLI_TRACE_DISABLE: '1',
    },
    look: filesIn,
  });
  const said = ran.code === 0 ? '' : ran.stderr + place.log().slice(-3000);
  expect(`${ran.code} ${said}`).toBe('0 ');
  return { outcomes: answerOf(ran) as Record<string, Outcome>, files: ran.found };
}

const digests = (files: Record<string, Buffer | string>, folder: string, keep = (_path: string) => true) =>
  Object.fromEntries(
    Object.entries(files)
      .filter(([path]) => keep(path))
      .map(([path, bytes]) => [`${folder}/${path}`, sha256(bytes)]),
  );
const filesOf = (id: string) => WISHES.find((wish) => wish.id === id)!.files as Record<string, Buffer | string>;
const sizesOf = (files: Record<string, Buffer | string>) =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes).length]));

/** What all downloads together leave behind. */
const DOWNLOADED = {
  ...digests(FILES, 'whole/ocrnet_v0.11.1+ba20956e-l40sx1'),
  ...digests(FILES, 'chosen/ocrnet_vtrainable_v1.0', (path) => path.endsWith('.pth') || path.startsWith('a+')),
  ...digests(FILES, 'others/ocrnet_vtrainable_v1.0', (path) => !path.startsWith('weights/')),
  ...digests(filesOf('nvidia/genmol'), 'teamless/genmol_v1.0.0'),
  ...digests(filesOf('nvidia/tao/notebooks'), 'notebooks/notebooks_v5.5'),
  ...digests(filesOf('nvidia/tao/notebooks'), 'some/notebooks_v5.5', (path) => path.startsWith('notebooks/3/')),
};

/** The SDK says "failed" of a download whose files are not all there, and raises nothing. */
function expectDownloaded(outcomes: Record<string, Outcome>, files: Record<string, string>, more = {}): void {
  const said = Object.entries(outcomes).filter(([call]) => call in DOWNLOADS || call in PRIVATE);
  expect(said.filter(([, outcome]) => (outcome as unknown as unknown[])[0] !== 'completed')).toEqual([]);
  expect(files).toEqual({ ...DOWNLOADED, ...more });
}

/** What reading gives, wherever it is done; `held` is what a closed site has of the lists. */
function expectRead(read: Record<string, Outcome>, held: boolean): void {
  expect([...(read.models as unknown as string[])].sort()).toEqual(held ? ['ocrnet'] : ['dino', 'ocrnet']);
  expect(read.resources).toEqual(['notebooks']);
  const versions = ['trainable_v1.0', '0.11.1+ba20956e-l40sx1', ...(held ? [] : ['trainable_v2.0'])];
  expect([...(read.versions as unknown as string[])].sort()).toEqual([...versions].sort());
  expect([...(read.trainable as unknown as string[])].sort()).toEqual(versions.filter((one) => /^train/.test(one)));
  expect(read.info).toMatchObject({ model: { name: 'ocrnet', orgName: 'nvidia', teamName: 'tao' } });
  expect(read.version).toMatchObject({
    modelVersion: { versionId: 'trainable_v1.0', status: 'UPLOAD_COMPLETE', customMetrics: METRICS },
  });
  expect(read.resource).toMatchObject({ recipeVersion: { versionId: '5.5', totalFileCount: 130 } });
  expect(read.files).toEqual(sizesOf(FILES));
  expect(read.many).toEqual(sizesOf(filesOf('nvidia/tao/notebooks')));
  expect(read.missing).toMatchObject({ error: 'ResourceNotFoundException' });
}

/** Whole files that NGC's file host has given so far. */
const fetched = () => sites.ngc.calls('/files/', 'cdn').length;

const GUEST = ['a guest', {}, undefined] as const;
const WITH_KEY = ['with a key', KEYED, 'nvapi-of-somebody-here'] as const;
const WITH_OLDER_KEY = ['with a key of the older kind', KEYED, 'b2xkZXIta2V5LW9mLXNvbWVib2R5OmhlcmU='] as const;

describe.each(CLIENTS)('%s', (name) => {
  // all kinds of keys by the newest; of the older ones one each, which takes minutes too
  const callers = name === 'ngcsdk' ? [GUEST, WITH_KEY, WITH_OLDER_KEY] : [name === 'ngcsdk-3' ? GUEST : WITH_KEY];
  describe.each(callers)('%s', (_who, settings, key) => {
    let mirror: NgcPlace;

    beforeAll(async () => {
      mirror = await sites.cold(settings);
    });
    afterAll(() => mirror?.larder.stop());

    test('lists, tells of and downloads models and resources through a mirror that holds nothing', async () => {
      const { outcomes, files } = await sdk(mirror, name, { ...READING, ...DOWNLOADS }, key);
      expectRead(outcomes, false);
      expectDownloaded(outcomes, files);
    });

    test('gets it again from what is held', async () => {
      const before = fetched();
      const { outcomes, files } = await sdk(mirror, name, { ...READING, ...DOWNLOADS }, key);
      expectRead(outcomes, false);
      expectDownloaded(outcomes, files);
      expect(fetched()).toBe(before);
    });

    test('is told what NGC refuses in NGC’s own words, and gets none of it', async () => {
      const { outcomes, files } = await sdk(mirror, name, REFUSED, key);
      expect(outcomes.licensed!.message).toMatch(/412.*licence terms/s);
      expect(outcomes.banned!.message).toMatch(/451.*legal/s);
      expect(files).toEqual({});
    });

    test('does all that behind the gap', async () => {
      const { outcomes, files } = await sdk(sites.behindTheGap, name, { ...READING, ...DOWNLOADS, ...PRIVATE }, key);
      expectRead(outcomes, true);
      expectDownloaded(outcomes, files, digests(filesOf('acme/own'), 'own/own_v1'));
    });

    test(key ? 'gets what the site’s key may have' : 'gets nothing that guests may not have', async () => {
      const { files } = await sdk(mirror, name, PRIVATE, key);
      expect(files).toEqual(key ? digests(filesOf('acme/own'), 'own/own_v1') : {});
    });
  });
});

test('the SDK sees nothing of a file host that breaks off, and whose addresses run out meanwhile', async () => {
  const mirror = await sites.cold();
  sites.ngc.fail({ path: '/files/weights/model.pth', host: 'cdn', cutAfter: 3 << 20 });
  sites.ngc.fail({ path: '/files/weights/model.pth', host: 'cdn', status: 403 });
  const { outcomes, files } = await sdk(mirror, 'ngcsdk', { whole: DOWNLOADS.whole! });
  expect(outcomes.whole).toEqual(['completed', Object.keys(FILES).length, expect.any(Number)]);
  expect(files).toEqual(digests(FILES, 'whole/ocrnet_v0.11.1+ba20956e-l40sx1'));
  await mirror.larder.stop();
});

describe('where nobody is let in without a key of ours', () => {
  let mirror: NgcPlace;
  let secret: string;
  const CALLS = { files: READING.many!, whole: DOWNLOADS.whole!, some: DOWNLOADS.some! };

  beforeAll(async () => {
    const store = join(sites.folder, 'closed');
    const made = await larder(['token', 'create', 'lab', '--read', '--ngc', '--store', store]);
    expect(made.code).toBe(0);
    secret = made.stdout.trim();
    mirror = await sites.cold({ ...KEYED, LARDER_STORE: store, LARDER_ACCESS_ANONYMOUS_READ: 'false' });
  });
  afterAll(() => mirror?.larder.stop());

  test.each([
    ['as it is', (key: string) => key],
    ['by an exchange for a token', (key: string) => key.replace(/^nvapi-/, '')],
  ])('the SDK downloads with it, said %s, by addresses that need no more', async (_how, said) => {
    const { outcomes, files } = await sdk(mirror, 'ngcsdk', CALLS, said(secret));
    expect(outcomes.files).toEqual(sizesOf(filesOf('nvidia/tao/notebooks')));
    expect(Object.keys(files)).toHaveLength(Object.keys(FILES).length + 19);
    expect(outcomes.whole).toEqual(['completed', Object.keys(FILES).length, expect.any(Number)]);
  });

  test('guests get nothing, and neither do those with a key of NVIDIA’s', async () => {
    const guest = await sdk(mirror, 'ngcsdk', CALLS);
    expect(guest.files).toEqual({});
    expect(guest.outcomes.whole).toMatchObject({ error: 'AuthenticationException' });
    const place = await mirror.run('curl', [
      ...['-s', '-o', '/dev/null', '-w', '%{http_code}', '-H', 'Authorization: Bearer nvapi-of-nvidia'],
      `${SITE}/v2/org/nvidia/team/tao/models/ocrnet`,
    ]);
    expect(place.stdout).toBe('401');
  });
});

test('a key was said to NGC by Larder alone, and never to its file host', () => {
  const said = new Set(sites.ngc.calls('', 'api').map(({ headers }) => headers.authorization));
  expect([...said].sort()).toEqual([`Bearer ${SITE_KEY.key}`, undefined].sort());
  expect(sites.ngc.calls('', 'cdn').filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
});

test('nothing tried to leave the gap', async () => {
  expect(await sites.escaped()).toBe(0);
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Site, startSite } from './site.ts';

const KEYS = '/-/npm/v1/keys';
const KEY = {
  keyid: 'SHA256:one',
  keytype: 'ecdsa-sha2-nistp256',
  scheme: 'ecdsa-sha2-nistp256',
  key: 'MFk',
  expires: null,
};

let server: OriginServer;
let other: OriginServer;
let origin: NpmOrigin;
let site: Site;
let more: Site | undefined;

beforeEach(async () => {
  server = await startOriginServer();
  other = await startOriginServer();
  origin = new NpmOrigin(server);
  site = await startSite({ config: { origins: [{ name: 'npm', url: origin.url }] } });
});

afterEach(async () => {
  await more?.close();
  more = undefined;
  await site.close();
  await server.close();
  await other.close();
});

describe('the signing keys', () => {
  test("are the origin's, byte for byte, and stay when there is no network", async () => {
    const body = `${JSON.stringify({ keys: [KEY] })} \n`;
    server.set(KEYS, { body, type: 'application/json' });
    expect((await site.get(KEYS)).text).toBe(body);
    more = await site.again({ mode: 'airgapped' });
    const held = await more.get(KEYS);
    expect([held.text, held.headers.get('content-type')]).toEqual([body, 'application/json']);
    expect(server.count(KEYS)).toBe(1);
  });

  test('of several origins are one list; one that has none takes nothing from the others', async () => {
    const config = {
      origins: [
        { name: 'npm', url: origin.url },
        { name: 'team', url: new NpmOrigin(other).url, scopes: ['@team'] },
      ],
    };
    more = await site.again({ config });
    expect((await more.get(KEYS)).status).toBe(404);
    more.clock.now += 120_000;
    server.set(KEYS, { body: JSON.stringify({ keys: [KEY] }) });
    expect((await more.get(KEYS)).json).toEqual({ keys: [KEY] });
    more.clock.now += 120_000;
    other.set(KEYS, { body: JSON.stringify({ keys: [{ ...KEY, keyid: 'SHA256:two' }] }) });
    expect((await more.get(KEYS)).json).toEqual({ keys: [KEY, { ...KEY, keyid: 'SHA256:two' }] });
  });

  test('are a 404 where nobody signs, which npm takes for a registry without signatures', async () => {
    expect((await site.get(KEYS)).status).toBe(404);
    more = await site.again({ mode: 'airgapped' });
    expect((await more.get(KEYS)).status).toBe(404);
  });
});

describe('attestations', () => {
  const path = '/-/npm/v1/attestations/@sigstore%2fkit@1.0.0';

  beforeEach(() => {
    origin.publish({ name: '@sigstore/kit', version: '1.0.0' });
    server.set(path, { body: '{"attestations":[]}', type: 'application/json' });
  });

  test('are those of the origin that has the version, in every spelling of its name, and stay', async () => {
    for (const name of ['@sigstore%2fkit', '@sigstore%2Fkit', '@sigstore/kit', '%40sigstore%2fkit'])
      expect((await site.get(`/-/npm/v1/attestations/${name}@1.0.0`)).json).toEqual({ attestations: [] });
    expect(server.count(path)).toBe(1);
    await server.goDark();
    site.clock.now += 40 * 86_400_000;
    expect((await site.get(path)).status).toBe(200);
  });

  test('of what was published here are asked for nowhere', async () => {
    await site.rooms.locals.change('ours', (document) => {
      document.versions['1.0.0'] = { name: 'ours', version: '1.0.0', dist: { tarball: '' } };
    });
    expect((await site.get('/-/npm/v1/attestations/ours@1.0.0')).status).toBe(404);
    expect(server.calls()).toEqual([]);
  });

  test('of no version are a mistake of who asks', async () => {
    for (const spec of ['kit', 'kit@latest', '@sigstore/kit', '..%2f..@1.0.0', '@1.0.0'])
      expect((await site.get(`/-/npm/v1/attestations/${spec}`)).status).toBe(400);
    expect((await site.get('/-/npm/v1/attestations/%zz@1.0.0')).status).toBe(400);
    expect(server.calls()).toEqual([]);
  });
});

import { afterEach, beforeEach, expect, test } from 'vitest';
import { LocalPackages } from '../../../services/npm/local-packages.ts';
import { NpmOrigin } from '../../support/npm-origin.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Registry, startRegistry } from './registry.ts';

let server: OriginServer;
let origin: NpmOrigin;
let registry: Registry;
let locals: LocalPackages;

beforeEach(async () => {
  server = await startOriginServer();
  origin = new NpmOrigin(server);
  origin.publish({ name: 'ui', version: '9.0.0' });
  registry = await startRegistry({ config: { origins: [{ name: 'main', url: origin.url }] } });
  locals = new LocalPackages(registry.larder.context('npm') as ConstructorParameters<typeof LocalPackages>[0]);
});

afterEach(async () => {
  await registry.close();
  await server.close();
});

const publish = (version: string, tarball?: string) =>
  locals.change('ui', (document) => {
    document.versions[version] = { name: 'ui', version, dist: { tarball: tarball as string, shasum: '0'.repeat(40) } };
    document['dist-tags'].latest = version;
  });

test('what is published here shadows, and is told of anew at once', async () => {
  await publish('1.0.0', 'http://elsewhere.example/ui/-/ui-1.0.0.tgz');
  const first = await registry.get('/ui');
  expect(Object.keys(first.json.versions)).toEqual(['1.0.0']);
  expect(first.json.versions['1.0.0'].dist.tarball).toBe(`${registry.url}/ui/-/ui-1.0.0.tgz`);
  expect(first.headers['cache-control']).toBe('no-cache');
  await publish('1.1.0');
  const second = await registry.get('/ui');
  expect(second.json['dist-tags']).toEqual({ latest: '1.1.0' });
  expect(second.headers.etag).not.toBe(first.headers.etag);
  expect((await registry.get('/ui/-/ui-9.0.0.tgz')).status).toBe(404);
  expect(server.calls()).toEqual([]);
});

test.each([undefined, '', 'ui-1.0.0.tgz', 7])(
  'a version is at our own address when its publisher said %s',
  async (said) => {
    await publish('1.0.0', said as string);
    const { json } = await registry.get('/ui');
    expect(json.versions['1.0.0'].dist.tarball).toBe(`${registry.url}/ui/-/ui-1.0.0.tgz`);
  },
);

test('a name that was mirrored before it was published here is no longer the origin’s', async () => {
  expect((await registry.get('/ui/-/ui-9.0.0.tgz')).status).toBe(200);
  await registry.larder.settled();
  await publish('1.0.0');
  expect((await registry.get('/ui/-/ui-9.0.0.tgz')).status).toBe(404);
  expect(Object.keys((await registry.get('/ui')).json.versions)).toEqual(['1.0.0']);
});

test('what is blocked is not offered of private packages either', async () => {
  await registry.close();
  registry = await startRegistry({ config: { origins: [{ name: 'main', url: origin.url }], block: ['ui@2'] } });
  locals = new LocalPackages(registry.larder.context('npm') as ConstructorParameters<typeof LocalPackages>[0]);
  await publish('1.0.0');
  await publish('2.0.0');
  const { json } = await registry.get('/ui');
  expect([Object.keys(json.versions), json['dist-tags']]).toEqual([['1.0.0'], { latest: '1.0.0' }]);
});

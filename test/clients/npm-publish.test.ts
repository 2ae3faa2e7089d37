import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/bundles.ts';
import { advisory, playAudit } from '../support/npm-audits.ts';
import { NpmOrigin } from '../support/npm-origin.ts';
import { REGISTRY_CLIENTS, type RegistryClient } from '../support/npm-registry-clients.ts';
import { WAYS } from '../support/npm-registry-project.ts';
import { type ClientHome, homeOf } from '../support/npm-registry-site.ts';
import { VERBS, type Verbs } from '../support/npm-registry-verbs.ts';
import { startOriginServer } from '../support/origin-server.ts';
import { larder, type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';

let folder: { path: string; remove(): Promise<void> };
let origin: NpmOrigin;
let server: SpawnedLarder;
let url: string;
let token: string;
const homes = new Map<RegistryClient, ClientHome>();
const homeFor = (client: RegistryClient) => homes.get(client)!;
const nameFor = (client: RegistryClient) => `@site/by-${client}`;

beforeAll(async () => {
  folder = await temporaryFolder();
  origin = new NpmOrigin(await startOriginServer());
  origin.publish({ name: 'weak', version: '1.0.0', manifest: { description: 'of the world outside' } });
  origin.publish({ name: 'helper', version: '2.0.0', manifest: { dependencies: { weak: '^1.0.0' } } });
  playAudit(origin, { weak: [advisory(7, '<1.0.1')] });
  const store = join(folder.path, 'store');
  token = (await larder(['token', 'create', 'ci', '--write', '--store', store])).stdout.trim();
  server = await spawnLarder({
    store,
    env: {
      LARDER_NPM_ORIGINS: JSON.stringify([{ name: 'npm', url: origin.url }]),
      LARDER_NPM_PRIVATE: '["@site/*"]',
      // what stands here is for those who have a token
      LARDER_ACCESS_ANONYMOUS_READ: 'false',
    },
  });
  url = server.urls.npm!;
  for (const client of REGISTRY_CLIENTS) homes.set(client, await homeOf(client, { url, closed: true }));
});

afterAll(async () => {
  for (const home of homes.values()) await home.remove();
  await server?.stop();
  await origin?.server.close();
  await folder?.remove();
});

/** The clients that have a verb for it. */
const having = (verb: keyof Verbs) => REGISTRY_CLIENTS.filter((client) => VERBS[client][verb]);

async function layPackage(
  client: RegistryClient,
  version: string,
  dependencies: object = { helper: '^2.0.0' },
): Promise<void> {
  const project = join(homeFor(client).path, 'project');
  await rm(project, { recursive: true, force: true });
  await mkdir(project);
  const manifest = {
    name: nameFor(client),
    version,
    description: `made with ${client}`,
    license: 'MIT',
    main: 'index.js',
  };
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({ ...manifest, keywords: ['furniture'], dependencies }, null, 2),
  );
  await writeFile(join(project, 'index.js'), `module.exports = '${client} ${version}';\n`);
  await writeFile(join(project, 'README.md'), `# Made with ${client}\n`);
  if (client === 'berry') await writeFile(join(project, 'yarn.lock'), '');
}

const publishing = (client: RegistryClient, version: string) => [
  ...VERBS[client].publish,
  ...(client === 'yarn-1' ? [version] : []),
];

async function publish(client: RegistryClient, version: string): Promise<void> {
  const home = homeFor(client);
  await layPackage(client, version);
  if (client === 'berry') await home.ok(['install', '--no-immutable']);
  await home.ok(publishing(client, version));
}

/** All of them side by side; what comes next waits for them. */
function each(
  what: string,
  clients: readonly RegistryClient[],
  judge: (client: RegistryClient) => Promise<void>,
): void {
  describe(what, () => {
    test.concurrent.each(clients)('%s', judge);
  });
}

each('who is not logged in cannot publish, and is told why', REGISTRY_CLIENTS, async (client) => {
  await layPackage(client, '1.0.0', {});
  if (client === 'berry') await homeFor(client).ok(['install', '--no-immutable']);
  const ran = await homeFor(client).run(publishing(client, '1.0.0'));
  expect(ran.code).not.toBe(0);
  expect(ran.stdout + ran.stderr).toMatch(/log(ged)? ?in|auth|token/i);
});

each('a login on a terminal asks for a name and a password', having('login'), async (client) => {
  const { login, whoami } = VERBS[client];
  const wrong = await homeFor(client).answer(login!.args, login!.asks('ada', 'lrd_00000000_wrong'));
  expect(wrong.code).not.toBe(0);
  const { code, stdout } = await homeFor(client).answer(login!.args, login!.asks(`ada-${client}`, token));
  expect(`${code} ${code === 0 ? '' : stdout}`).toBe('0 ');
  expect(await homeFor(client).ok(whoami!)).toContain(`ada-${client}`);
});

test('yarn-1 keeps the name, asks for the password when it publishes, and gives its login back', async () => {
  const home = homeFor('yarn-1');
  const asked: [string, string][] = [
    ['username:', 'ada-yarn-1'],
    ['email:', 'ada@site.example'],
  ];
  expect(await home.answer(['login'], asked)).toMatchObject({ code: 0 });
  await layPackage('yarn-1', '0.9.0');
  const published = await home.answer(['publish', '--new-version', '0.9.0'], [['password:', token]]);
  expect(`${published.code} ${published.stdout}`).toMatch(/^0 [\s\S]*Published[\s\S]*Revoked/);
});

test('bun is who the token in its settings is called', async () => {
  for (const client of ['yarn-1', 'bun'] as const) await homeFor(client).settle({ url, token });
  expect(await homeFor('bun').ok(VERBS.bun.whoami!)).toContain('ci');
});

each('two versions of a private package are published', REGISTRY_CLIENTS, async (client) => {
  await publish(client, '1.0.0');
  await publish(client, '1.1.0');
});

each('who publishes a version again is told that it exists', REGISTRY_CLIENTS, async (client) => {
  const ran = await homeFor(client).run(publishing(client, '1.1.0'));
  expect(ran.code).not.toBe(0);
  expect(ran.stdout + ran.stderr).toMatch(/already|exist|previously published|conflict/i);
});

each('what is known of a package is shown', REGISTRY_CLIENTS, async (client) => {
  const shown = JSON.parse(await homeFor(client).ok(VERBS[client].view(nameFor(client)))) as Record<string, unknown>;
  const facts = (shown.data ?? shown) as Record<string, unknown>;
  expect(facts).toMatchObject({ name: nameFor(client), description: `made with ${client}` });
  expect(JSON.stringify(facts)).toContain('1.1.0');
});

each('a tag is added, listed and taken away', having('tags'), async (client) => {
  const home = homeFor(client);
  const { add, list, remove } = VERBS[client].tags!;
  await home.ok(add(`${nameFor(client)}@1.0.0`, 'beta'));
  expect(await home.ok(list(nameFor(client)))).toMatch(/beta.*1\.0\.0/);
  await home.ok(remove(nameFor(client), 'beta'));
  const left = await home.ok(list(nameFor(client)));
  expect(left).toMatch(/latest.*1\.1\.0/);
  expect(left).not.toContain('beta');
});

each('a search finds a package by its description and by a keyword', having('search'), async (client) => {
  for (const text of [`made with ${client}`, 'furniture']) {
    const found = JSON.parse(await homeFor(client).ok(VERBS[client].search!(text))) as object[];
    expect(found).toContainEqual(expect.objectContaining({ name: nameFor(client), version: '1.1.0' }));
  }
});

each('what everybody published is installed, with what it needs from outside', REGISTRY_CLIENTS, async (client) => {
  const home = homeFor(client);
  const project = join(home.path, 'project');
  await rm(project, { recursive: true, force: true });
  await mkdir(project);
  const dependencies = Object.fromEntries(REGISTRY_CLIENTS.map((other) => [nameFor(other), '^1.0.0']));
  const manifest = { name: 'uses', version: '1.0.0', private: true, dependencies };
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
  if (client === 'berry') await writeFile(join(project, 'yarn.lock'), '');
  await home.ok(WAYS[client].install);
  for (const other of REGISTRY_CLIENTS)
    expect((await home.node(['-p', `require('${nameFor(other)}')`])).trim()).toBe(`${other} 1.1.0`);
});

each('an audit finds what is said of a package from outside', having('audit'), async (client) => {
  const ran = await homeFor(client).run(VERBS[client].audit!);
  expect(ran.code).not.toBe(0);
  expect(ran.stdout).toContain('weak');
  expect(ran.stdout).toMatch(/"severity" ?: ?"high"/i);
});

each('a version is deprecated', having('deprecate'), async (client) => {
  const home = homeFor(client);
  await home.ok(VERBS[client].deprecate!(`${nameFor(client)}@1.0.0`, 'take the next one'));
  expect(await home.ok(['view', `${nameFor(client)}@1.0.0`, 'deprecated'])).toContain('take the next one');
});

each('a version is taken back, then the whole package', having('unpublish'), async (client) => {
  const home = homeFor(client);
  await home.ok(VERBS[client].unpublish!(`${nameFor(client)}@1.1.0`));
  expect(JSON.parse(await home.ok(VERBS[client].view(nameFor(client))))).toMatchObject({ version: '1.0.0' });
  await home.ok(VERBS[client].unpublish!(nameFor(client)));
  const gone = await home.run(VERBS[client].view(nameFor(client)));
  expect(`${gone.code} ${gone.stdout}${gone.stderr}`).toMatch(/^1[\s\S]*E404/);
});

each('who logs out is nobody', having('logout'), async (client) => {
  const home = homeFor(client);
  const before = await readFile(join(home.path, client === 'berry' ? '.yarnrc.yml' : '.npmrc'), 'utf8');
  const [, secret] = /(?:_authToken=|npmAuthToken: "?)([\w-]+)/.exec(before)!;
  await home.ok(VERBS[client].logout!);
  const answer = await fetch(`${url}/-/whoami`, { headers: { authorization: `Bearer ${secret}` } });
  // yarn forgets what it has, and tells nobody
  expect(answer.status).toBe(client === 'berry' ? 200 : 401);
  expect((await home.run(VERBS[client].whoami!)).code).not.toBe(0);
});

test('the world outside was never asked for a private name', () => {
  const asked = origin.server.calls().map(({ path }) => decodeURIComponent(path));
  expect(asked).toContain('/helper');
  expect(asked.filter((path) => path.includes('@site'))).toEqual([]);
});

test('no token stands in the log', () => {
  expect(server.log()).not.toContain(token);
  expect(server.log()).not.toMatch(/lrd_npm_\w{12,}/);
});

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** A package of a bench: its document, and its tarballs by file name. */
export interface MadePackage {
  name: string;
  versions: Record<string, MadeVersion>;
  tarballs: Map<string, Buffer>;
}

interface MadeVersion {
  version: string;
  dist: { shasum: string; integrity: string; [more: string]: unknown };
  [more: string]: unknown;
}

/** Text that compresses as code does: words by chance, the same ones for the same seed. */
function prose(bytes: number, seed: string): string {
  let text = '';
  for (let count = 0; text.length < bytes; count += 1) {
    const hex = createHash('sha256').update(`${seed}/${count}`).digest('hex');
    text += `export function handle${hex.slice(0, 6)}(request, response) { return response.get('${hex.slice(6, 28)}'); }\n`;
  }
  return text.slice(0, bytes);
}

async function tarballOf(name: string, version: string, bytes: number): Promise<Buffer> {
  const tar = pack();
  const put = (path: string, text: string) =>
    tar.entry({ name: `package/${path}`, mtime: new Date(499162500000), mode: 0o644 }, text);
  put('package.json', JSON.stringify({ name, version, main: 'lib/index.js', license: 'MIT' }));
  put('README.md', `# ${name}\n`);
  for (const [index, share] of [0.5, 0.25, 0.15, 0.1].entries())
    put(`lib/${index === 0 ? 'index' : `part${index}`}.js`, prose(Math.ceil(bytes * share), `${name}@${version}`));
  tar.finalize();
  return gzipSync(await buffer(tar));
}

/** What a registry says of a version beside what its package.json says: most of a document's bytes are this. */
function versionOf(name: string, version: string, dist: { shasum: string; integrity: string }): MadeVersion {
  const maintainers = ['ada', 'grace', 'barbara'].map((who) => ({ name: who, email: `${who}@site.example` }));
  return {
    ...{ name, version, description: `What ${name} does, in a line that people read.`, license: 'MIT' },
    ...{ main: 'lib/index.js', keywords: ['framework', 'router', 'rest', 'web', 'http', 'app', 'api'] },
    engines: { node: '>= 18' },
    repository: { type: 'git', url: `git+https://git.site.example/${name}/${name}.git` },
    bugs: { url: `https://git.site.example/${name}/${name}/issues` },
    homepage: `https://${name.replace('/', '.')}.site.example/`,
    scripts: {
      test: 'mocha --reporter spec --bail test/',
      lint: 'eslint .',
      prepublish: 'npm run build && npm run lint',
    },
    dependencies: Object.fromEntries(
      Array.from({ length: 28 }, (_, index) => [`dependency-${index}`, `~1.${index}.0`]),
    ),
    devDependencies: Object.fromEntries(Array.from({ length: 14 }, (_, index) => [`tool-${index}`, `^2.${index}.1`])),
    ...{
      maintainers,
      _npmUser: maintainers[0],
      _nodeVersion: '24.1.0',
      _npmVersion: '11.6.0',
      _id: `${name}@${version}`,
    },
    ...{ _hasShrinkwrap: false, gitHead: dist.shasum },
    _npmOperationalInternal: { host: 's3://npm-registry-packages', tmp: `tmp/${name}_${version}_1746000000000_0.42` },
    dist: {
      ...dist,
      fileCount: 6,
      unpackedSize: 212_345,
      signatures: [{ keyid: `SHA256:${dist.integrity.slice(7, 50)}`, sig: dist.integrity.repeat(1).slice(7, 95) }],
    },
  };
}

const hashes = (bytes: Buffer) => ({
  shasum: createHash('sha1').update(bytes).digest('hex'),
  integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
});

/** @param bytes of code in each tarball: of text before it is compressed */
export async function madePackage(name: string, versions: readonly string[], bytes: number): Promise<MadePackage> {
  const made: MadePackage = { name, versions: {}, tarballs: new Map() };
  for (const version of versions) {
    const tarball = await tarballOf(name, version, bytes);
    made.tarballs.set(`${name.split('/').at(-1)}-${version}.tgz`, tarball);
    made.versions[version] = versionOf(name, version, hashes(tarball));
  }
  return made;
}

const timesOf = (made: MadePackage) => {
  const versions = Object.keys(made.versions).map((version, day) => [
    version,
    new Date(1.5e12 + day * 1e9).toISOString(),
  ]);
  return { created: versions[0]![1]!, modified: versions.at(-1)![1]!, ...Object.fromEntries(versions) };
};

/** The document of a package, its tarballs under this address. */
export function packumentOf(made: MadePackage, registry: string): Record<string, unknown> {
  const address = (version: string) => `${registry}/${made.name}/-/${made.name.split('/').at(-1)}-${version}.tgz`;
  const versions = Object.entries(made.versions).map(([version, said]) => [
    version,
    { ...said, dist: { ...said.dist, tarball: address(version) } },
  ]);
  return {
    ...{ _id: made.name, name: made.name, 'dist-tags': { latest: Object.keys(made.versions).at(-1) } },
    versions: Object.fromEntries(versions),
    time: timesOf(made),
    readme: prose(8000, made.name),
  };
}

/** Puts packages into a storage folder of Verdaccio's, as it lays them itself: as if they were published there. */
export async function layForVerdaccio(storage: string, packages: readonly MadePackage[]): Promise<void> {
  for (const made of packages) {
    const folder = join(storage, made.name);
    await mkdir(folder, { recursive: true });
    const attachments = [...made.tarballs.keys()].map((file) => [
      file,
      { shasum: hashes(made.tarballs.get(file)!).shasum },
    ]);
    const document = {
      ...packumentOf(made, 'http://localhost:4873'),
      ...{ _rev: '1-0123456789abcdef', _uplinks: {}, _distfiles: {}, _attachments: Object.fromEntries(attachments) },
    };
    await writeFile(join(folder, 'package.json'), JSON.stringify(document));
    for (const [file, bytes] of made.tarballs) await writeFile(join(folder, file), bytes);
  }
}

/** A registry that has these packages, for a mirror of it. */
export async function startContentOrigin(
  packages: readonly MadePackage[],
): Promise<{ url: string; close(): Promise<void> }> {
  const answers = new Map<string, () => Buffer | string>();
  const server = createServer((req, res) => {
    const answer = answers.get(decodeURIComponent(req.url!));
    if (answer) res.end(answer());
    else res.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  for (const made of packages) {
    answers.set(`/${made.name}`, () => JSON.stringify(packumentOf(made, url)));
    for (const [file, bytes] of made.tarballs) answers.set(`/${made.name}/-/${file}`, () => bytes);
  }
  return {
    url,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A project that needs all of these packages, with its lock: `resolved` leads to this registry. */
export async function writeProject(folder: string, packages: readonly MadePackage[], registry: string): Promise<void> {
  const newest = packages.map((made) => [made.name, Object.keys(made.versions).at(-1)!] as const);
  const manifest = { name: 'site', version: '1.0.0', private: true, dependencies: Object.fromEntries(newest) };
  const locked = packages.map((made, index) => {
    const [name, version] = newest[index]!;
    const resolved = `${registry}/${name}/-/${name.split('/').at(-1)}-${version}.tgz`;
    return [
      `node_modules/${name}`,
      { version, resolved, integrity: made.versions[version]!.dist.integrity, license: 'MIT' },
    ];
  });
  const lock = {
    ...{ name: 'site', version: '1.0.0', lockfileVersion: 3, requires: true },
    packages: { '': manifest, ...Object.fromEntries(locked) },
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock, null, 2));
  await writeFile(
    join(dirname(folder), '.npmrc'),
    `registry=${registry}/\naudit=false\nfund=false\nupdate-notifier=false\n`,
  );
}

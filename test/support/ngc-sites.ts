import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AirGap, makeAirGap } from './air-gap.ts';
import { temporaryFolder } from './bundles.ts';
import { type NgcOptions, type NgcOrigin, type NgcWish, startNgc } from './ngc-origin.ts';
import { clientHome, type Ran, runCommand } from './python-clients.ts';
import { ownAddress, siteNames, type Wrapped } from './site-names.ts';
import { larder, type SpawnedLarder, spawnLarder } from './spawn-larder.ts';
import { makeCertificate } from './tls.ts';

/** What Larder is called in a site: by a name of its own, and by those that clients have built in. */
export const SITE = 'https://ngc.site.example';
const NAMES = [new URL(SITE).hostname, 'api.ngc.nvidia.com', 'authn.nvidia.com'];

/** Where a client stands: names lead to Larder there, at port 443, and the site's authority is trusted. */
export interface NgcPlace {
  larder: SpawnedLarder;
  /** What the Larder has logged so far. */
  log(): string;
  /** Runs a client in a new home, `work` in it; gives what `look` then finds there. */
  run<T>(
    command: string,
    args: readonly string[],
    options?: { env?: NodeJS.ProcessEnv; prepare?(folder: string): Promise<void>; look?(folder: string): Promise<T> },
  ): Promise<Ran & { found: T }>;
}

/** NGC, mirrors of it that hold nothing yet, and a site behind a gap that has a bundle. */
export interface NgcSites {
  ngc: NgcOrigin;
  folder: string;
  /** PEM of the site's authority. */
  caFile: string;
  /** A connected mirror over an empty store, with further settings. */
  cold(settings?: NodeJS.ProcessEnv): Promise<NgcPlace>;
  /** The site that lives off the bundle, in a namespace without a network. */
  behindTheGap: NgcPlace;
  /** Packets that tried to leave the gap. */
  escaped(): Promise<number>;
  close(): Promise<void>;
}

export interface NgcSitesOptions {
  wishes: readonly NgcWish[];
  /** Of the manifest, one line each: `{ ngc: "nvidia/tao/ocrnet:1.0" }`. */
  items: readonly string[];
  origin?: NgcOptions;
  /** Settings of the Larder that packs, and of the one behind the gap. */
  settings?: NodeJS.ProcessEnv;
}

/** Plays NGC with these versions, packs them by `larder bundle create`, imports the bundle elsewhere and serves it there. */
export async function startNgcSites(options: NgcSitesOptions): Promise<NgcSites> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const one of undo.splice(0).reverse()) await one();
  };
  try {
    return await startIn(options, undo, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function startIn(
  options: NgcSitesOptions,
  undo: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<NgcSites> {
  const folder = await temporaryFolder();
  undo.push(folder.remove);
  await makeCertificate(folder.path, [...NAMES.map((name) => `DNS:${name}`), 'IP:127.0.0.1'].join());
  const caFile = join(folder.path, 'cert.pem');
  const ngc = await startNgc(options.origin);
  undo.push(ngc.close);
  for (const wish of options.wishes) ngc.add(wish);
  const env = {
    LARDER_NGC_ORIGIN: ngc.url,
    LARDER_NGC_AUTH_ORIGIN: ngc.authUrl,
    LARDER_NGC_FILE_HOSTS: '["localhost:*"]',
    LARDER_TLS_CERT_FILE: caFile,
    LARDER_TLS_KEY_FILE: join(folder.path, 'key.pem'),
    LARDER_NGC_TLS_PORT: '443',
  };
  const site = join(folder.path, 'site');
  if (options.items.length > 0) await carry(folder.path, options.items, { ...env, ...options.settings }, site);
  const gap: AirGap = await makeAirGap();
  undo.push(gap.close);
  // nobody answers at NGC's address in there: whatever asks it all the same is seen
  const offline = await spawnLarder({
    store: site,
    env: { ...env, ...options.settings, AIRGAPPED_MODE: 'true' },
    wrap: gap.inside,
  });
  undo.push(offline.stop);
  const inSite = await siteNames(folder.path, '127.0.0.1', NAMES);
  let mirrors = 0;
  return {
    ngc,
    folder: folder.path,
    caFile,
    async cold(settings) {
      mirrors += 1;
      const address = ownAddress();
      const store = join(folder.path, `mirror-${mirrors}`);
      const mirror = await spawnLarder({ store, env: { ...env, LARDER_LISTEN: address, ...settings } });
      undo.push(mirror.stop);
      return placeOf(mirror, caFile, await siteNames(folder.path, address, NAMES));
    },
    behindTheGap: placeOf(offline, caFile, (command, args) => gap.inside(...inSite(command, args))),
    escaped: gap.escaped,
    close,
  };
}

function placeOf(
  spawned: SpawnedLarder,
  caFile: string,
  wrap: (command: string, args: readonly string[]) => Wrapped,
): NgcPlace {
  return {
    larder: spawned,
    log: spawned.log,
    async run(command, args, { env, prepare, look } = {}) {
      const home = await clientHome();
      try {
        const cwd = join(home.path, 'work');
        await mkdir(cwd);
        await prepare?.(cwd);
        const trusting = await trust(home.path, caFile);
        const ran = await runCommand(...wrap(command, args), { cwd, env: { ...home.env, ...trusting, ...env } });
        return { ...ran, found: (await look?.(cwd)) as never };
      } finally {
        await home.remove();
      }
    },
  };
}

/** How programs are told of a site's authority: Python's requests, what is built on OpenSSL, curl, wget. */
async function trust(home: string, caFile: string): Promise<NodeJS.ProcessEnv> {
  await writeFile(join(home, '.wgetrc'), `ca_certificate = ${caFile}\n`);
  await appendFile(join(home, '.curlrc'), `cacert = ${caFile}\n`);
  return { REQUESTS_CA_BUNDLE: caFile, SSL_CERT_FILE: caFile };
}

/** A bundle of these items, made in a store of its own in `folder`, imported into `store`. */
async function carry(folder: string, items: readonly string[], env: NodeJS.ProcessEnv, store: string): Promise<void> {
  const [manifest, bundle] = [join(folder, 'bundle.yaml'), join(folder, 'bundle')];
  const lines = items.map((item) => `  - ${item}\n`).join('');
  await writeFile(manifest, `format: larder-manifest/1\nname: ngc-clients\nitems:\n${lines}`);
  await mustRun(['bundle', 'create', manifest, bundle, '--store', join(folder, 'packer')], env);
  await mustRun(['bundle', 'import', bundle, '--store', store], env);
}

async function mustRun(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const ran = await larder(args, { env });
  if (ran.code !== 0) throw new Error(`larder ${args.join(' ')} ended with ${ran.code}:\n${ran.stdout}\n${ran.stderr}`);
}

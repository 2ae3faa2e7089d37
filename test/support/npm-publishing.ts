import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuiltPackage, buildPackage, type PackageOptions } from './npm-packages.ts';
import { type Ran, runCommand } from './python-clients.ts';

/** The document that `npm publish` sends (docs/REGISTRY-API.md of npm/registry). */
export function publishBody(built: BuiltPackage, tags: readonly string[] = ['latest'], readme = ''): Json {
  const { name, version, filename, bytes, shasum, integrity, manifest } = built;
  const dist = { shasum, integrity, tarball: `http://localhost/${name}/-/${filename}` };
  return {
    _id: name,
    name,
    'dist-tags': Object.fromEntries(tags.map((tag) => [tag, version])),
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, readme, dist } },
    _attachments: {
      [`${name}-${version}.tgz`]: {
        content_type: 'application/octet-stream',
        data: bytes.toString('base64'),
        length: bytes.length,
      },
    },
  };
}

export type Json = Record<string, unknown>;

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into at many places
  json: any;
}

/** A publisher without npm: quick, and able to send what npm never would. */
export class Publisher {
  readonly url: string;
  readonly #secret: string | undefined;

  constructor(url: string, secret?: string) {
    this.url = url;
    this.#secret = secret;
  }

  async send(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (this.#secret !== undefined) headers.authorization = `Bearer ${this.#secret}`;
    const text = body === undefined || typeof body === 'string' ? (body as string) : JSON.stringify(body);
    const answer = await fetch(this.url + path, { method, headers, body: text });
    const said = await answer.text();
    return { status: answer.status, json: parsed(said) };
  }

  get(path: string): Promise<Answer> {
    return this.send('GET', path);
  }

  /** Builds a package and publishes it. */
  async publish(options: PackageOptions, tags?: readonly string[]): Promise<Answer & { built: BuiltPackage }> {
    const built = buildPackage(options);
    return { ...(await this.put(publishBody(built, tags))), built };
  }

  put(body: Json): Promise<Answer> {
    return this.send('PUT', `/${String(body.name).replace('/', '%2f')}`, body);
  }

  async bytes(path: string): Promise<{ status: number; bytes: Buffer }> {
    const headers = this.#secret === undefined ? {} : { authorization: `Bearer ${this.#secret}` };
    const answer = await fetch(this.url + path, { headers });
    return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The npm of this machine with a home of its own, in the folder of one package. */
export interface NpmHome {
  path: string;
  /** Makes the folder of a package, and the one that npm runs in. */
  write(manifest: Json, files?: Record<string, string>): Promise<void>;
  /** `_authToken=…` and the like, of this registry. */
  login(line: string): Promise<void>;
  npm(...args: string[]): Promise<Ran>;
  remove(): Promise<void>;
}

export async function npmHome(url: string): Promise<NpmHome> {
  const path = await mkdtemp(join(tmpdir(), 'larder-npm-'));
  const cwd = join(path, 'package');
  await mkdir(cwd);
  const userconfig = join(path, '.npmrc');
  const config = ['audit=false', 'fund=false', 'update-notifier=false', `cache=${join(path, 'cache')}`];
  const write = (lines: string[]) => writeFile(userconfig, [`registry=${url}/`, ...config, ...lines, ''].join('\n'));
  await write([]);
  const env = { PATH: process.env.PATH, HOME: path, NPM_CONFIG_USERCONFIG: userconfig };
  return {
    path: cwd,
    async write(manifest, files = {}) {
      const all = { 'package.json': JSON.stringify(manifest), ...files };
      for (const [name, text] of Object.entries(all)) await writeFile(join(cwd, name), text);
    },
    login: (line) => write([`//${new URL(url).host}/:${line}`]),
    npm: (...args) => runCommand('npm', args, { cwd, env, timeout: 60_000 }),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

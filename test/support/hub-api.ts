import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { HubCommit, HubFile, HubRepo } from './hub-repo.ts';
import type { Played } from './played.ts';

interface HubApiOptions {
  repos: Map<string, HubRepo>;
  renamed: Map<string, string>;
  url: string;
  cdnUrl: string;
  token: string | undefined;
  pageSize: number;
}

interface Asked {
  req: IncomingMessage;
  url: URL;
  repo: HubRepo;
  authorized: boolean;
}

const TYPES = ['models', 'datasets', 'spaces'] as const;

/** What the hub answers, by its routes. Shapes after reference/huggingface.md §1. */
export class HubApi {
  readonly #options: HubApiOptions;

  constructor(options: HubApiOptions) {
    this.#options = options;
  }

  /** A file of the file host. */
  large(sha256: string): Buffer | undefined {
    for (const repo of this.#options.repos.values())
      for (const commit of repo.commits.values())
        for (const file of commit.files.values()) if (file.sha256 === sha256) return file.bytes;
    return undefined;
  }

  async answer(req: IncomingMessage): Promise<Played> {
    const url = new URL(req.url!, this.#options.url);
    const path = decodeURIComponent(url.pathname);
    const authorized = !!this.#options.token && req.headers.authorization === `Bearer ${this.#options.token}`;
    const moved = this.#moved(path);
    if (moved) return { ...json(307, { error: 'Temporary Redirect' }), headers: { location: moved + url.search } };
    const list = /^\/api\/(models|datasets|spaces)$/.exec(path);
    if (list) return this.#list(list[1] as HubRepo['type'], url);
    const cached = /^\/api\/resolve-cache\/(models|datasets|spaces)\/((?:[^/]+\/)?[^/]+)\/([0-9a-f]{40})\/(.+)$/.exec(
      path,
    );
    if (cached) return this.#cached(cached[2]!, cached[3]!, cached[4]!);
    const repo = [...this.#options.repos.values()].find((one) => this.#rest(one, path) !== undefined);
    if (!repo || (repo.private && !authorized)) return unknownRepo(authorized);
    const asked = { req, url, repo, authorized };
    const rest = this.#rest(repo, path)!;
    return rest.startsWith('api:') ? this.#api(asked, rest.slice(4), await bodyOf(req)) : this.#resolve(asked, rest);
  }

  /** What stands behind the repo's own address; `api:…` below /api. */
  #rest(repo: HubRepo, path: string): string | undefined {
    const api = `/api/${repo.type}/${repo.id}`;
    if (path === api || path.startsWith(`${api}/`)) return `api:${path.slice(api.length)}`;
    const files = `${repo.type === 'models' ? '' : `/${repo.type}`}/${repo.id}/resolve/`;
    return path.startsWith(files) ? path.slice(files.length) : undefined;
  }

  #moved(path: string): string | undefined {
    for (const [from, to] of this.#options.renamed)
      for (const before of ['/', ...TYPES.flatMap((type) => [`/api/${type}/`, `/${type}/`])])
        if (path === before + from || path.startsWith(`${before}${from}/`))
          return before + to + path.slice((before + from).length);
    return undefined;
  }

  #api({ url, repo }: Asked, rest: string, body: Buffer): Played {
    const [, verb = '', tail = ''] = /^\/?([^/]*)\/?(.*)$/.exec(rest)!;
    if (verb === '') return this.#info(repo, 'main', url);
    if (verb === 'revision') return this.#info(repo, tail, url);
    if (verb === 'refs') return json(200, refsOf(repo, url.searchParams.get('include_prs') === '1'));
    if (verb === 'commits') return this.#commits(repo, tail);
    if (verb === 'tree') return this.#tree(repo, tail, url);
    if (verb === 'paths-info') {
      const commit = commitAt(repo, tail);
      if (!commit) return noRevision(tail);
      const paths = pathsIn(body.toString());
      return json(
        200,
        paths.flatMap((one) => (commit.files.has(one) ? [entryOf(commit.files.get(one)!)] : [])),
      );
    }
    return json(404, { error: 'Not Found' });
  }

  #info(repo: HubRepo, rev: string, url: URL): Played {
    const commit = commitAt(repo, rev);
    if (!commit) return noRevision(rev);
    const blobs = url.searchParams.get('blobs') === 'true';
    const siblings = [...commit.files.values()].map((file) => ({
      rfilename: file.path,
      ...(blobs ? { size: file.bytes.length, blobId: file.oid } : {}),
    }));
    return json(200, {
      _id: createHash('md5').update(repo.id).digest('hex').slice(0, 24),
      id: repo.id,
      ...(repo.type === 'models' ? { modelId: repo.id } : {}),
      author: repo.id.split('/')[0],
      sha: commit.sha,
      lastModified: commit.date,
      createdAt: '2026-01-01T00:00:00.000Z',
      private: repo.private,
      gated: repo.gated,
      disabled: false,
      downloads: 10,
      likes: 1,
      tags: [],
      xetEnabled: true,
      siblings,
      ...repo.info,
    });
  }

  #commits(repo: HubRepo, rev: string): Played {
    const list = [];
    for (let commit = commitAt(repo, rev); commit; commit = commit.parent ? repo.commits.get(commit.parent) : undefined)
      list.push({ id: commit.sha, title: commit.title, message: '', authors: [{ user: 'acme' }], date: commit.date });
    return list.length > 0 ? json(200, list) : noRevision(rev);
  }

  #tree(repo: HubRepo, tail: string, url: URL): Played {
    const [rev, dir] = splitRev(repo, tail);
    const commit = rev === undefined ? undefined : commitAt(repo, rev);
    if (!commit) return noRevision(tail);
    const recursive = url.searchParams.get('recursive')?.toLowerCase() === 'true';
    const all = [
      ...[...commit.folders]
        .filter(([path]) => path !== '')
        .map(([path, oid]) => ({ type: 'directory', path, size: 0, oid })),
      ...[...commit.files.values()].map(entryOf),
    ].filter(({ path }) => under(path, dir, recursive));
    if (dir !== '' && all.length === 0) return noEntry(commit.sha);
    all.sort((one, other) => (one.path < other.path ? -1 : 1));
    const size = Math.min(this.#options.pageSize, Number(url.searchParams.get('limit') ?? this.#options.pageSize));
    const first = Number(url.searchParams.get('cursor') ?? 0);
    const answer = json(200, all.slice(first, first + size));
    if (first + size < all.length) {
      const next = new URL(url);
      next.searchParams.set('cursor', String(first + size));
      answer.headers.link = `<${next.href}>; rel="next"`;
    }
    return answer;
  }

  #list(type: HubRepo['type'], url: URL): Played {
    const words = url.searchParams.getAll('search').map((word) => word.toLowerCase());
    const author = url.searchParams.get('author');
    const found = [...this.#options.repos.values()].filter(
      (repo) =>
        repo.type === type &&
        !repo.private &&
        words.every((word) => repo.id.toLowerCase().includes(word)) &&
        (!author || repo.id.startsWith(`${author}/`)),
    );
    const limit = Number(url.searchParams.get('limit') ?? 1000);
    return json(
      200,
      found.slice(0, limit).map(({ id, sha, info }) => ({
        _id: 'x',
        id,
        modelId: id,
        sha,
        downloads: 10,
        likes: 1,
        private: false,
        tags: [],
        ...info,
      })),
    );
  }

  #resolve({ repo, authorized }: Asked, rest: string): Played {
    const [rev, path] = splitRev(repo, rest);
    const commit = rev === undefined ? undefined : commitAt(repo, rev);
    if (!commit) return noRevision(rest);
    const file = commit.files.get(path);
    if (!file) return noEntry(commit.sha);
    if (repo.gated && !authorized) return gated(repo);
    const facts: Record<string, string> = {
      'x-repo-commit': commit.sha,
      'x-linked-size': String(file.bytes.length),
      'x-linked-etag': `"${file.sha256 ?? file.oid}"`,
      'content-type': 'text/plain; charset=utf-8',
    };
    if (!file.sha256) {
      const location = `/api/resolve-cache/${repo.type}/${repo.id}/${commit.sha}/${encodeURIComponent(path)}`;
      return {
        status: 307,
        headers: { ...facts, location },
        body: Buffer.from(`Temporary Redirect. Redirecting to ${location}`),
      };
    }
    const location = `${this.#options.cdnUrl}/lfs/${file.sha256}?X-Amz-Signature=secret`;
    const link = `<${this.#options.url}/api/${repo.type}/${repo.id}/xet-read-token/${commit.sha}>; rel="xet-auth"`;
    const xet = { 'x-xet-hash': createHash('sha256').update(`xet${file.sha256}`).digest('hex'), link };
    return { status: 302, headers: { ...facts, ...xet, location }, body: Buffer.from('Found. Redirecting') };
  }

  #cached(id: string, sha: string, path: string): Played {
    const file = this.#options.repos.get(id)?.commits.get(sha)?.files.get(path);
    if (!file) return noEntry(sha);
    const headers = { 'x-repo-commit': sha, etag: `"${file.oid}"`, 'content-type': 'text/plain; charset=utf-8' };
    return { status: 200, headers, body: file.bytes, ranges: true };
  }
}

function under(path: string, dir: string, recursive: boolean): boolean {
  if (dir !== '' && !path.startsWith(`${dir}/`)) return false;
  return recursive || !path.slice(dir === '' ? 0 : dir.length + 1).includes('/');
}

function splitRev(repo: HubRepo, text: string): [string | undefined, string] {
  const special = /^(refs\/(?:pr|convert)\/[^/]+)(?:\/(.*))?$/.exec(text) ?? /^([^/]+)(?:\/(.*))?$/.exec(text);
  return [special?.[1] && commitAt(repo, special[1]) ? special[1] : undefined, special?.[2] ?? ''];
}

function commitAt(repo: HubRepo, rev: string): HubCommit | undefined {
  const sha = repo.branches.get(rev === 'HEAD' ? 'main' : rev) ?? repo.tags.get(rev);
  if (sha) return repo.commits.get(sha);
  if (!/^[0-9a-f]{7,40}$/.test(rev)) return undefined;
  return [...repo.commits.values()].find((commit) => commit.sha.startsWith(rev));
}

function entryOf(file: HubFile) {
  return {
    type: 'file',
    oid: file.oid,
    size: file.bytes.length,
    ...(file.sha256
      ? {
          lfs: { oid: file.sha256, size: file.bytes.length, pointerSize: file.pointerSize },
          xetHash: createHash('sha256').update(`xet${file.sha256}`).digest('hex'),
        }
      : {}),
    path: file.path,
  };
}

function refsOf(repo: HubRepo, withPulls: boolean) {
  const rows = (prefix: string, ref: string) =>
    [...repo.branches]
      .filter(([name]) => name.startsWith(prefix) && (prefix !== '' || !name.startsWith('refs/')))
      .map(([name, targetCommit]) => ({
        name: name.slice(prefix.length),
        ref: ref + name.slice(prefix.length),
        targetCommit,
      }));
  return {
    branches: rows('', 'refs/heads/'),
    converts: rows('refs/convert/', 'refs/convert/'),
    tags: [...repo.tags].map(([name, targetCommit]) => ({ name, ref: `refs/tags/${name}`, targetCommit })),
    ...(withPulls ? { pullRequests: rows('refs/pr/', 'refs/pr/') } : {}),
  };
}

/** JSON (JavaScript, Rust) or a form (Python). */
function pathsIn(body: string): string[] {
  return body.startsWith('{')
    ? (JSON.parse(body) as { paths: string[] }).paths
    : new URLSearchParams(body).getAll('paths');
}

async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await req.toArray());
}

function json(status: number, value: unknown): Played {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: Buffer.from(JSON.stringify(value)),
  };
}

function refusal(status: number, code: string, message: string, more: Record<string, string> = {}): Played {
  const answer = json(status, { error: message });
  return { ...answer, headers: { ...answer.headers, 'x-error-code': code, 'x-error-message': message, ...more } };
}

/** Anonymous callers are not told whether a repo exists. */
function unknownRepo(authorized: boolean): Played {
  return authorized
    ? refusal(404, 'RepoNotFound', 'Repository not found')
    : refusal(401, 'RepoNotFound', 'Invalid username or password.');
}

const noRevision = (rev: string) => refusal(404, 'RevisionNotFound', `Invalid rev id: ${rev}`);
const noEntry = (sha: string) => refusal(404, 'EntryNotFound', 'Entry not found', { 'x-repo-commit': sha });
const gated = (repo: HubRepo) =>
  refusal(
    401,
    'GatedRepo',
    `Access to model ${repo.id} is restricted. You must have access to it and be authenticated.`,
  );

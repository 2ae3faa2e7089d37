import { type Request, type RequestHandler, type Response, Router } from 'express';
import { send } from '../../shared/http/send.ts';
import type { ByteRange } from '../../shared/model/byte-range.ts';
import { parseRange } from '../../shared/model/byte-range.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { Context } from '../../shared/service/service.ts';
import { parseApiAddress, splitRevision } from './address.ts';
import { clientBase, sendJson } from './answers.ts';
import type { HuggingfaceConfig } from './config.ts';
import { HubError } from './errors.ts';
import { isRepoId, type Repo, type RepoType } from './repo.ts';
import { askerOf, type MoreFields } from './resolve.ts';
import type { Snapshots } from './snapshots.ts';
import type { TreeFile } from './tree.ts';
import { countOfXorbs, framedLength, openXorb, type Term, termsOf, xorbHash } from './xorbs.ts';

/** Seconds for which addresses and tokens of Xet are good. */
const GOOD_FOR = 6 * 3600;

/** Xet, for the files that current Python clients fetch no other way. Everywhere else there is no sign of it. */
export class Xet {
  readonly #context: Context<HuggingfaceConfig>;
  readonly #snapshots: Snapshots;

  constructor(context: Context<HuggingfaceConfig>, snapshots: Snapshots) {
    this.#context = context;
    this.#snapshots = snapshots;
  }

  /** A file's id in Xet: any stable one will do, so it is what the file is. Undefined: Xet is not offered for it. */
  hashOf({ lfs }: TreeFile): string | undefined {
    const { xetFromBytes } = this.#context.config;
    return lfs && xetFromBytes > 0 && lfs.size > xetFromBytes ? lfs.oid : undefined;
  }

  /** Fields of a file's answer. The address is absolute: Python takes no other. */
  readonly fields: MoreFields = (req, { repo, sha }, file): Record<string, string> => {
    const hash = this.hashOf(file);
    if (hash === undefined) return {};
    const base = clientBase(req, this.#context.publicUrl);
    return {
      'x-xet-hash': hash,
      link: `<${base}/api/${repo.type}/${repo.id}/xet-read-token/${sha}>; rel="xet-auth"`,
    };
  };

  /** `GET /api/{type}/{id}/xet-read-token/{rev}` */
  token(): RequestHandler {
    return async (req, res, next) => {
      const address = parseApiAddress(req.path);
      if (address?.verb !== 'xet-read-token') return next();
      const { repo, sha } = await this.#snapshots.at(address, splitRevision(address.rest).rev, askerOf(req));
      const tree = await this.#snapshots.tree(await this.#snapshots.at(repo, sha));
      if (![...tree.files.values()].some((file) => this.hashOf(file)))
        throw new MirrorError(
          'not-found',
          'token',
          'no file of this repo is offered by Xet here; it comes by plain HTTP',
        );
      const casUrl = `${clientBase(req, this.#context.publicUrl)}/xet/${repo.type}/${repo.id}/${sha}`;
      const exp = Math.floor(this.#context.now() / 1000) + GOOD_FOR;
      const accessToken = await this.#context.grants.give(scopeOf(repo, sha), GOOD_FOR);
      const headers = {
        'x-xet-cas-url': casUrl,
        'x-xet-access-token': accessToken,
        'x-xet-token-expiration': String(exp),
      };
      return sendJson(req, res, { casUrl, exp, accessToken }, headers);
    };
  }

  /** What stands behind `casUrl`: reconstructions, xorbs, and a place for telemetry. */
  routes(): Router {
    const router = Router({ caseSensitive: true });
    const paths = ['/xet/:type/:name/:sha', '/xet/:type/:org/:name/:sha'];
    const below = (rest: string) => paths.map((path) => path + rest);
    router.post(below('/v1/telemetry'), (req, res) => {
      req.resume();
      return sendJson(req, res, {});
    });
    for (const version of ['v1', 'v2'] as const)
      router.get(below(`/${version}/reconstructions/:hash`), (req, res) => this.#reconstruct(req, res, version));
    router.get(below('/xorbs/:hash/:index'), (req, res) => this.#xorb(req, res));
    return router;
  }

  async #reconstruct(req: Request, res: Response, version: 'v1' | 'v2'): Promise<void> {
    const { file, repo, sha } = await this.#find(req, bearerOf(req));
    const { size, oid } = file.lfs!;
    const asked = parseRange(req.headers.range, size);
    // a client reads ahead until it is told that it is behind the end
    if (asked === 'unsatisfiable') throw new MirrorError('range', 'file', `the file has ${size} bytes`);
    const range = asked?.[0] ?? { start: 0, end: size - 1 };
    const terms = termsOf(size, range);
    const grant = await this.#context.grants.give(scopeOf(repo, sha), GOOD_FOR);
    const base = `${clientBase(req, this.#context.publicUrl)}/xet/${repo.type}/${repo.id}/${sha}/xorbs/${oid}`;
    const urlOf = ({ index }: Term) => `${base}/${index}?grant=${grant}`;
    const common = {
      offset_into_first_range: range.start % (64 << 10),
      terms: terms.map(({ index, chunks, plain }) => ({
        hash: xorbHash(oid, index),
        unpacked_length: plain,
        range: chunks,
      })),
    };
    delete req.headers.range;
    const sources = terms.map((term): [string, object[]] => {
      const { chunks, bytes, index } = term;
      const source =
        version === 'v2'
          ? { url: urlOf(term), ranges: [{ chunks, bytes }] }
          : { range: chunks, url: urlOf(term), url_range: bytes };
      return [xorbHash(oid, index), [source]];
    });
    const where = version === 'v2' ? 'xorbs' : 'fetch_info';
    return sendJson(req, res, { ...common, [where]: Object.fromEntries(sources) });
  }

  async #xorb(req: Request, res: Response): Promise<void> {
    const grant = new URLSearchParams(req.url.split('?')[1] ?? '').get('grant') ?? '';
    const { file, ref } = await this.#find(req, grant);
    const { size, oid } = file.lfs!;
    const index = Number(req.params.index);
    if (!Number.isInteger(index) || index < 0 || index >= countOfXorbs(size))
      throw new MirrorError('not-found', 'xorb', `the file has ${countOfXorbs(size)} xorbs`);
    const { mirror } = this.#context;
    const resource = await mirror.open(ref);
    const open = async (range?: ByteRange) => openXorb(size, index, range, (part) => resource.open(part));
    const facts = {
      size: framedLength(size, index),
      mediaType: 'application/octet-stream',
      etag: `"${xorbHash(oid, index)}"`,
      headers: {},
    };
    return send(req, res, { facts, served: resource.served, open });
  }

  async #find(req: Request, grant: string): Promise<{ file: TreeFile; ref: Ref; repo: Repo; sha: string }> {
    const { type, org, name, sha, hash } = req.params as Record<string, string>;
    const repo = { type: type as RepoType, id: org ? `${org}/${name}` : name! };
    if (!isRepoId(repo.id))
      throw new HubError('not-found', 'repository', 'there is no such repo', { code: 'RepoNotFound' });
    await this.#context.grants.check(scopeOf(repo, sha!), grant);
    const snapshot = await this.#snapshots.at(repo, sha!);
    const tree = await this.#snapshots.tree(snapshot);
    const file = [...tree.files.values()].find((one) => one.lfs?.oid === hash);
    if (!file) throw new MirrorError('not-found', 'file', 'no file of this commit has this id');
    return { file, ref: this.#snapshots.fileRef(snapshot, file), repo, sha: sha! };
  }
}

const scopeOf = ({ type, id }: Repo, sha: string) => `xet ${type}/${id}@${sha}`;

function bearerOf(req: Request): string {
  return /^bearer\s+(\S+)$/i.exec(req.headers.authorization ?? '')?.[1] ?? '';
}

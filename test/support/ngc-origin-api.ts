import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { WORDS } from '../../services/ngc/keys.ts';
import { json, type NgcAccount, type NgcAccounts, refusal, SUCCESS } from './ngc-origin-accounts.ts';
import { answerSearch } from './ngc-origin-search.ts';
import {
  type NgcFile,
  type NgcKind,
  type NgcVersion,
  type NgcWork,
  versionDocument,
  workDocument,
  workKey,
} from './ngc-origin-works.ts';
import type { Played } from './played.ts';
import { zip } from './wheels.ts';

export interface NgcApiOptions {
  works: Map<string, NgcWork>;
  accounts: NgcAccounts;
  /** Entries on a page at most, whatever is asked for. */
  pageSize: number;
  /** How long a signed address is good. */
  urlSeconds: number;
  now(): number;
}

interface Asked {
  url: URL;
  work: NgcWork;
  account: NgcAccount | undefined;
}

const SCOPED = /^\/v2\/org\/([^/]+)(?:\/team\/([^/]+))?\/(models|resources)\/([^/]+)(?:\/(.*))?$/;
const WORDED = /^\/v2\/(models|resources)\/org\/([^/]+)(?:\/team\/([^/]+))?\/([^/]+)(?:\/(.*))?$/;
const GUEST = /^\/v2\/(models|resources)\/(.+)$/;

/** What NGC answers, by its routes. Shapes after reference/ngc.md §2.3 and §2.4. */
export class NgcApi {
  /** Where files lie; set when it is known. */
  cdnUrl = '';
  readonly #options: NgcApiOptions;
  #secret = 0;

  constructor(options: NgcApiOptions) {
    this.#options = options;
  }

  /** Addresses that were signed until now are good no more. */
  expireUrls(): void {
    this.#secret += 1;
  }

  answer(req: IncomingMessage, body: string): Played {
    const url = new URL(req.url!.replace(/^\/+/, '/').replace(/([^?])\/{2,}(?=[^?]*(\?|$))/g, '$1/'), 'http://ngc');
    const path = url.pathname.replace(/(?<=.)\/$/, '');
    if (path === '/v2/ping') return json(200, { requestStatus: SUCCESS });
    if (path === '/v3/keys/get-caller-info')
      return req.method === 'POST' ? this.#options.accounts.callerInfo(body) : notAllowed();
    const account = this.#options.accounts.whoAsks(req);
    if (account === 'refused') return refusal(401, 'UNAUTHORIZED', 'Invalid or expired token');
    if (req.method !== 'GET' && req.method !== 'HEAD') return notAllowed();
    const works = [...this.#options.works.values()];
    const other = this.#options.accounts.about(path, account) ?? answerSearch(url, works, account);
    return other ?? this.#work(path, url, account);
  }

  /** What the file host answers: bytes for an address that is signed and not too old. */
  file(req: IncomingMessage): Played {
    const url = new URL(req.url!, 'http://cdn');
    const until = url.searchParams.get('Expires') ?? '';
    // whoever shows a second proof is refused, as object stores do: keys have no business here
    if (req.headers.authorization !== undefined) return xml(400, 'InvalidArgument', 'Only one auth mechanism allowed');
    const good = url.searchParams.get('Signature') === this.#sign(url.pathname, until);
    if (!good || Number(until) * 1000 <= this.#options.now()) return xml(403, 'AccessDenied', 'Access denied');
    const [, place, version, file] = /^(.*)\/versions\/([^/]+)\/files\/(.*)$/.exec(url.pathname)!;
    const found = SCOPED.exec(`/v2${place}`)!;
    const work = this.#find(found[3]!, found[1]!, found[2], found[4]!);
    const held = work?.versions.get(decodeURIComponent(version!))?.files.get(decodeURIComponent(file!));
    if (!held) return xml(404, 'NoSuchKey', 'The specified key does not exist.');
    const headers = {
      'content-type': 'binary/octet-stream',
      etag: held.etag,
      'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
      'x-amz-version-id': 'a-version',
    };
    return { status: 200, headers, body: held.bytes, ranges: true, conditions: true };
  }

  #work(path: string, url: URL, account: NgcAccount | undefined): Played {
    const found = this.#address(path);
    if (!found) return refusal(404, 'NOT_FOUND', 'Not found');
    const { work, rest, scoped } = found;
    if (!account && (scoped || work?.access)) return refusal(401, 'UNAUTHORIZED', 'Authentication required');
    if (!work) return refusal(404, 'NOT_FOUND', 'The requested artifact does not exist');
    if (work.access === 'private' && !account!.orgs.includes(work.org))
      return refusal(403, 'FORBIDDEN', `No role in ${work.org}`);
    if (work.refuses && (work.refusesAll || /(^|\/)(files|zip)(\/|$)/.test(rest))) return refused(work.refuses);
    return this.#rest({ url, work, account }, rest);
  }

  #rest(asked: Asked, rest: string): Played {
    const { work } = asked;
    const words = WORDS[work.kind];
    if (rest === '') return json(200, { requestStatus: SUCCESS, [words.one]: workDocument(work) });
    if (rest === 'versions') return this.#versions(asked);
    const [, byVersion, tail = ''] = /^versions\/([^/]+)(?:\/(.*))?$/.exec(rest) ?? [];
    const [, byUrls] = /^([^/]+)\/files$/.exec(rest) ?? [];
    const name = byVersion ?? (byUrls === 'versions' ? undefined : byUrls);
    const version = name === undefined ? undefined : work.versions.get(decodeURIComponent(name));
    if (!version) return refusal(404, 'NOT_FOUND', 'The requested version does not exist');
    if (byVersion === undefined) return this.#urls(asked, version);
    if (tail === '')
      return json(200, {
        requestStatus: SUCCESS,
        [words.one]: workDocument(work),
        [words.version]: versionDocument(version),
      });
    if (tail === 'files') return this.#files(asked, version);
    if (tail === 'zip') return zipped(work, version);
    const file = version.files.get(decodeURIComponent(tail.replace(/^files\//, '')));
    if (!tail.startsWith('files/') || !file) return refusal(404, 'NOT_FOUND', 'The requested file does not exist');
    return moved(this.#signed(work, version, file));
  }

  #versions({ url, work }: Asked): Played {
    const words = WORDS[work.kind];
    const all = [...work.versions.values()].reverse().map(versionDocument);
    const { shown, paginationInfo } = this.#page(url, all);
    return json(200, {
      requestStatus: SUCCESS,
      [words.one]: workDocument(work),
      [words.versions]: shown,
      paginationInfo,
    });
  }

  #files({ url, work }: Asked, version: NgcVersion): Played {
    const all = [...version.files.values()].map(({ listed }) => listed);
    const { shown, paginationInfo } = this.#page(url, all);
    return json(200, { requestStatus: SUCCESS, [WORDS[work.kind].files]: shown, paginationInfo });
  }

  /** Forms 7 to 9: addresses of all, of one, or the way to one. Pages count from 0, as the SDK does. */
  #urls({ url, work }: Asked, version: NgcVersion): Played {
    if (work.refusesUrls) return refusal(work.refusesUrls, 'INVALID_REQUEST', 'Org contex missing');
    const path = url.searchParams.get('path');
    const file = path === null ? undefined : version.files.get(path);
    if (path !== null && !file) return refusal(404, 'NOT_FOUND', 'The requested file does not exist');
    if (file && url.searchParams.get('redirect') === 'true') return moved(this.#signed(work, version, file));
    const { shown, paginationInfo } = this.#page(url, file ? [file] : [...version.files.values()]);
    return json(200, {
      requestStatus: SUCCESS,
      paginationInfo,
      urls: shown.map((one) => this.#signed(work, version, one)),
      filepath: shown.map((one) => String(one.listed.path)),
    });
  }

  /** The part that is asked for by `page-reference`, or by `page-number` from 0 on. */
  #page<T>(url: URL, all: readonly T[]): { shown: T[]; paginationInfo: Record<string, unknown> } {
    const size = Math.min(this.#options.pageSize, Number(url.searchParams.get('page-size') ?? 100));
    const reference = url.searchParams.get('page-reference');
    const index = reference
      ? Number(Buffer.from(reference, 'base64url').toString().slice('page '.length))
      : Number(url.searchParams.get('page-number') ?? 0);
    const totalPages = Math.max(1, Math.ceil(all.length / size));
    const more = index + 1 < totalPages;
    const nextPage = Buffer.from(`page ${index + 1}`).toString('base64url');
    return {
      shown: all.slice(index * size, (index + 1) * size),
      paginationInfo: { index, size, totalPages, totalResults: all.length, ...(more ? { nextPage } : {}) },
    };
  }

  #address(path: string): { work: NgcWork | undefined; rest: string; scoped: boolean } | undefined {
    const scoped = SCOPED.exec(path);
    if (scoped) {
      const [, org, team, kind, name, rest = ''] = scoped;
      return { work: this.#find(kind!, org!, team, name!), rest, scoped: true };
    }
    const worded = WORDED.exec(path);
    if (worded) {
      const [, kind, org, team, name, rest = ''] = worded;
      return { work: this.#find(kind!, org!, team, name!), rest, scoped: false };
    }
    const guest = GUEST.exec(path);
    if (!guest) return undefined;
    const parts = guest[2]!.split('/');
    for (const length of [3, 2]) {
      const [org = '', team, name] = length === 3 ? parts : [parts[0], undefined, parts[1]];
      const rest = parts.slice(length).join('/');
      const work = name === undefined ? undefined : this.#find(guest[1]!, org, team, name);
      if (work && (rest === '' || rest.startsWith('versions'))) return { work, rest, scoped: false };
    }
    return { work: undefined, rest: '', scoped: false };
  }

  #find(kind: string, org: string, team: string | undefined, name: string): NgcWork | undefined {
    const parts = team === undefined || team === 'no-team' ? [org, name] : [org, team, name];
    return this.#options.works.get(workKey(kind as NgcKind, parts.map(decodeURIComponent).join('/')));
  }

  #signed(work: NgcWork, version: NgcVersion, file: NgcFile): string {
    const place = `/org/${work.org}${work.team ? `/team/${work.team}` : ''}/${work.kind}/${work.name}`;
    const path = encoded(`${place}/versions/${version.version}/files/${file.path}`);
    const until = String(Math.floor(this.#options.now() / 1000) + this.#options.urlSeconds);
    const query = `versionId=a-version&Expires=${until}&Signature=${this.#sign(path, until)}&Key-Pair-Id=KTESTOFNGC`;
    return `${this.cdnUrl}${path}?${query}`;
  }

  #sign(path: string, until: string): string {
    return createHmac('sha256', `secret ${this.#secret}`).update(`${path}?${until}`).digest('base64url');
  }
}

const encoded = (path: string) => path.split('/').map(encodeURIComponent).join('/');

const moved = (location: string): Played => ({ status: 302, headers: { location }, body: Buffer.alloc(0) });

function zipped(work: NgcWork, version: NgcVersion): Played {
  const members = Object.fromEntries([...version.files.values()].map(({ path, bytes }) => [path, bytes]));
  const name = `${work.name}_${version.version}.zip`;
  const headers = { 'content-type': 'application/zip', 'content-disposition': `attachment; filename="${name}"` };
  return { status: 200, headers, body: zip(members) };
}

const notAllowed = () => refusal(405, 'METHOD_NOT_ALLOWED', 'Method not allowed');

function refused(status: 401 | 403 | 412 | 451): Played {
  if (status === 401) return refusal(401, 'UNAUTHORIZED', 'Authentication required');
  if (status === 403) return refusal(403, 'FORBIDDEN', 'Access denied');
  if (status === 412)
    return refusal(412, 'PRECONDITION_FAILED', 'Please accept required license(s) via the NGC UI before downloading');
  return refusal(451, 'UNAVAILABLE_FOR_LEGAL_REASONS', 'Not available in your region for legal reasons');
}

function xml(status: number, code: string, message: string): Played {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
}

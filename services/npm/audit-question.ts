import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { readBody } from '../../shared/http/read-body.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { isPackageName } from './package-name.ts';

/** What is installed: versions by name. */
export type Installed = Map<string, Set<string>>;

/** Bytes of a question as it is sent, and of what it unpacks to: pnpm writes whole trees. */
const MOST_SENT = 16 << 20;
const MOST_BODY = 32 << 20;
const LONGEST_VERSION = 256;

const DECODERS: Record<string, (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>> = {
  gzip: promisify(gunzip) as (bytes: Buffer) => Promise<Buffer>,
  'x-gzip': promisify(gunzip) as (bytes: Buffer) => Promise<Buffer>,
  deflate: promisify(inflate) as (bytes: Buffer) => Promise<Buffer>,
  br: promisify(brotliDecompress) as (bytes: Buffer) => Promise<Buffer>,
};

/** The JSON of an audit: npm and yarn send it compressed. Throws `bad-request`, `too-large`, `unsupported`. */
export async function readAudit(req: IncomingMessage): Promise<Record<string, unknown>> {
  const sent = await readBody(req, MOST_SENT, 'audit');
  const bytes = await decoded(sent, (req.headers['content-encoding'] ?? 'identity').trim().toLowerCase());
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw wrong('it is not JSON');
  }
  if (!isObject(value)) throw wrong('it is no object of JSON');
  return value;
}

async function decoded(sent: Buffer, coding: string): Promise<Buffer> {
  if (coding === 'identity' || coding === '') return sent;
  const decode = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
  if (!decode) throw new MirrorError('unsupported', 'audit', `the coding "${coding.slice(0, 40)}" is not known here`);
  try {
    return await decode(sent, { maxOutputLength: MOST_BODY });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new MirrorError('too-large', 'audit', `the body unpacks to over ${MOST_BODY} bytes`, { cause });
    throw wrong(`it is not ${coding}`);
  }
}

/** Reads the body of `advisories/bulk`: `{ "lodash": ["4.17.20"] }`. What no registry could have is left out. */
export function installedOf(body: Record<string, unknown>): Installed {
  const installed: Installed = new Map();
  for (const [name, versions] of Object.entries(body)) {
    if (!Array.isArray(versions)) throw wrong(`"${name.slice(0, 100)}" has no list of versions`);
    for (const version of versions) addTo(installed, name, version);
  }
  return installed;
}

/** False for what no registry could have: folders, git repositories. */
export function addTo(installed: Installed, name: string, version: unknown): boolean {
  if (typeof version !== 'string' || version.length > LONGEST_VERSION) return false;
  if (!/^\d+\.\d+\.\d+/.test(version) || !isPackageName(name)) return false;
  const versions = installed.get(name) ?? new Set();
  installed.set(name, versions.add(version));
  return true;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(why: string): MirrorError {
  return new MirrorError('bad-request', 'audit', `the body of the audit cannot be read: ${why}`);
}

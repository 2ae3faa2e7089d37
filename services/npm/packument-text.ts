import { MirrorError } from '../../shared/model/errors.ts';
import { JsonCursor } from './json-cursor.ts';
import { isVersion } from './package-name.ts';
import type { VersionManifest } from './packument.ts';
import { Turn } from './turn.ts';

/** Where a value stands in a text, its quotes included. */
export interface Span {
  start: number;
  end: number;
}

/** A version as its packument has it, and the addresses in it that are others here. */
export interface VersionText {
  /** Its JSON, over the memory of the whole. */
  text: Buffer;
  tarball: Span;
  /** Of `dist.attestations`. */
  attestations?: Span;
}

/**
 * A packument whose versions are left as the text that they came in: of thousands of versions one or two are looked at
 * by themselves, and the rest goes out as it came.
 */
export interface PackumentText {
  /** All fields beside the three below, as they came. */
  rest: Map<string, Buffer>;
  tags: Record<string, string>;
  /** ISO 8601 by version, and `created`, `modified`. */
  times: Record<string, string>;
  /** In their order. */
  versions: Map<string, VersionText>;
  /** Hosts of their tarballs. */
  hosts: Set<string>;
  /** Versions that cannot be offered: no address of a tarball, or no version. */
  dropped: string[];
}

/**
 * Reads a packument; others get their turn meanwhile, however long it is.
 * Throws `upstream-failed` when the bytes are none, or another package's.
 */
export async function readPackument(bytes: Buffer, name: string): Promise<PackumentText> {
  try {
    return await read(bytes, name);
  } catch (cause) {
    if (cause instanceof MirrorError) throw cause;
    const message = `what the origin has under "${name}" cannot be read as a packument (${(cause as Error).message})`;
    throw new MirrorError('upstream-failed', 'package', message, { cause });
  }
}

async function read(bytes: Buffer, name: string): Promise<PackumentText> {
  const found: PackumentText = {
    rest: new Map(),
    tags: {},
    times: {},
    versions: new Map(),
    hosts: new Set(),
    dropped: [],
  };
  const cursor = new JsonCursor(bytes);
  if (!cursor.enter()) throw new SyntaxError('it is no object');
  for (let key = cursor.key(); key !== undefined; key = cursor.key()) {
    if (key === 'versions' && cursor.enter()) await readVersions(bytes, cursor, found);
    else if (key === 'dist-tags') found.tags = textsOf(cursor.value());
    else if (key === 'time') found.times = textsOf(cursor.value());
    else if (key !== 'versions') found.rest.set(key, cursor.value());
    else cursor.skip();
  }
  cursor.end();
  const said = found.rest.get('name');
  if (said !== undefined && JSON.parse(said.toString()) !== name) {
    const message = `the origin has another package under "${name}": ${said.toString('utf8', 0, 300)}`;
    throw new MirrorError('upstream-failed', 'package', message);
  }
  return found;
}

async function readVersions(bytes: Buffer, cursor: JsonCursor, found: PackumentText): Promise<void> {
  const turn = new Turn();
  let base: string | undefined;
  for (let version = cursor.key(); version !== undefined; version = cursor.key()) {
    const text = readVersion(bytes, cursor);
    const tarball = text && tarballOf(text);
    // thousands of versions have their tarballs in one place
    if (tarball && !(base && tarball.startsWith(base))) base = learnBase(tarball, found.hosts);
    if (text && base && tarball?.startsWith(base) && isVersion(version)) found.versions.set(version, text);
    else found.dropped.push(version.slice(0, 100));
    if (turn.isOver()) await turn.next();
  }
}

/** Scheme, host and a slash of an address; undefined for what is none. */
function learnBase(address: string, hosts: Set<string>): string | undefined {
  const url = URL.parse(address);
  if (!url || !/^https?:$/.test(url.protocol)) return undefined;
  hosts.add(url.host);
  const base = /^[a-z]+:\/\/[^/?#]+\//i.exec(address)?.[0];
  return base;
}

/** Reads a version without making more of it than where its addresses stand. Undefined when it has no tarball. */
export function readVersion(bytes: Buffer, cursor: JsonCursor): VersionText | undefined {
  const start = cursor.at;
  const isObject = cursor.enter();
  if (!isObject) cursor.skip();
  let dist: Omit<VersionText, 'text'> | undefined;
  for (let key = isObject ? cursor.key() : undefined; key !== undefined; key = cursor.key()) {
    if (key === 'dist' && cursor.enter()) dist = readDist(bytes, cursor, start);
    else cursor.skip();
  }
  return dist && { text: bytes.subarray(start, cursor.at), ...dist };
}

function readDist(bytes: Buffer, cursor: JsonCursor, origin: number): Omit<VersionText, 'text'> | undefined {
  let tarball: Span | undefined;
  let attestations: Span | undefined;
  for (let key = cursor.key(); key !== undefined; key = cursor.key()) {
    if (key === 'tarball') tarball = spanOfString(bytes, cursor, origin);
    else if (key === 'attestations' && cursor.enter()) attestations = urlIn(bytes, cursor, origin);
    else cursor.skip();
  }
  return tarball && { tarball, attestations };
}

function urlIn(bytes: Buffer, cursor: JsonCursor, origin: number): Span | undefined {
  let url: Span | undefined;
  for (let key = cursor.key(); key !== undefined; key = cursor.key()) {
    if (key === 'url') url = spanOfString(bytes, cursor, origin);
    else cursor.skip();
  }
  return url;
}

function spanOfString(bytes: Buffer, cursor: JsonCursor, origin: number): Span | undefined {
  const start = cursor.skip();
  return bytes[start] === 0x22 ? { start: start - origin, end: cursor.at - origin } : undefined;
}

/** Where its origin has the tarball. */
export function tarballOf({ text, tarball }: VersionText): string {
  return JSON.parse(text.toString('utf8', tarball.start, tarball.end)) as string;
}

/** A version as an object, under the name and version that it is asked for by, whatever it says of itself. */
export function manifestOf({ text }: VersionText, name: string, version: string): VersionManifest {
  return { ...(JSON.parse(text.toString()) as VersionManifest), name, version };
}

/** Members of an object that are texts; none of anything else. */
function textsOf(json: Buffer): Record<string, string> {
  const value = JSON.parse(json.toString()) as unknown;
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === 'string'));
}

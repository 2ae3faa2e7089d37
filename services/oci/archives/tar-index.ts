import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { MirrorError } from '../../../shared/model/errors.ts';

/** Where the bytes of a file lie in a tar. */
export interface Place {
  start: number;
  size: number;
}

/** By name, links followed. */
export type TarIndex = Map<string, Place>;

const BLOCK = 512;
/** Entries of an archive of images, and bytes of a long name. */
const MOST_ENTRIES = 200_000;
const MOST_EXTENSION = 1 << 20;
/** Links that lead to links. */
const MOST_HOPS = 10;

interface Header {
  name: string;
  size: number;
  type: string;
  link: string;
}

/**
 * Reads the headers of a tar (POSIX.1-2017 pax, and GNU's long names) and no more: an archive of many gigabytes is
 * known in the time that a few thousand small reads take. Throws `bad-request` for what is no tar or is cut off.
 */
export async function readTarIndex(file: FileHandle, label: string): Promise<TarIndex> {
  const { size: end } = await file.stat();
  const places: TarIndex = new Map();
  const links = new Map<string, string>();
  let more: Partial<Header> = {};
  let entries = 0;
  for (let at = 0; at + BLOCK <= end; ) {
    const block = await readAt(file, at, BLOCK);
    if (block.every((byte) => byte === 0)) break;
    const header = readHeader(block, label);
    const start = at + BLOCK;
    const size = more.size ?? header.size;
    if (start + size > end) throw broken(label, 'it ends in the middle of a file');
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    entries += 1;
    if (entries > MOST_ENTRIES) throw broken(label, `it has more than ${MOST_ENTRIES} files`);
    const extension = await extensionOf(file, header, start, label);
    if (extension) {
      more = { ...more, ...extension };
      continue;
    }
    const name = plainName(more.name ?? header.name, label);
    if (header.type === '1' || header.type === '2')
      links.set(name, linkTarget(name, header.type, more.link ?? header.link));
    else if (header.type !== '5') places.set(name, { start, size });
    more = {};
  }
  for (const name of links.keys()) {
    const place = follow(name, links, places);
    if (place && !places.has(name)) places.set(name, place);
  }
  return places;
}

function readHeader(block: Buffer, label: string): Header {
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 32 : block[at]!;
  if (sum !== numberIn(block, 148, 8)) throw broken(label, 'it is no tar, or is damaged');
  const prefix = text(block, 257, 5) === 'ustar' && block[263] === 0x30 ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix ? `${prefix}/${name}` : name,
    size: numberIn(block, 124, 12),
    type: String.fromCharCode(block[156]! || 0x30),
    link: text(block, 157, 100),
  };
}

/** A header that says more of the next one: a long name, a pax record. */
async function extensionOf(
  file: FileHandle,
  { type, size }: Header,
  start: number,
  label: string,
): Promise<Partial<Header> | undefined> {
  if (!'LKxg'.includes(type)) return undefined;
  if (size > MOST_EXTENSION) throw broken(label, 'a name in it is longer than any name');
  if (type === 'g') return {};
  const bytes = await readAt(file, start, size);
  if (type === 'x') return paxRecords(bytes, label);
  const value = bytes.toString('utf8').replace(/\0.*$/s, '');
  return type === 'L' ? { name: value } : { link: value };
}

/** `<length> <key>=<value>\n`, the length counting itself. */
function paxRecords(bytes: Buffer, label: string): Partial<Header> {
  const found: Partial<Header> = {};
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    if (space === -1 || !(length > 0) || at + length > bytes.length) throw broken(label, 'a header in it is damaged');
    const record = bytes.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === 'path') found.name = value;
    else if (key === 'linkpath') found.link = value;
    else if (key === 'size') found.size = Number(value);
    at += length;
  }
  return found;
}

/** Octal digits, or GNU's form for large numbers. */
function numberIn(block: Buffer, at: number, length: number): number {
  if (block[at]! & 0x80) {
    let value = 0;
    for (let index = at + 1; index < at + length; index += 1) value = value * 256 + block[index]!;
    return value;
  }
  return Number.parseInt(text(block, at, length).trim() || '0', 8) || 0;
}

function text(block: Buffer, at: number, length: number): string {
  const bytes = block.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? length : end);
}

/** `./a/b` is `a/b`. Throws for a name that leads out of the archive. */
function plainName(name: string, label: string): string {
  const plain = posix.normalize(name).replace(/\/+$/, '');
  if (plain.startsWith('/') || plain === '..' || plain.startsWith('../'))
    throw broken(label, `the name "${name.slice(0, 200)}" leads out of it`);
  return plain;
}

/** A hard link names its target from the top, a symbolic one from where it stands. */
function linkTarget(name: string, type: string, link: string): string {
  return posix.normalize(type === '1' ? link : posix.join(posix.dirname(name), link));
}

function follow(name: string, links: ReadonlyMap<string, string>, places: TarIndex): Place | undefined {
  let at: string | undefined = name;
  for (let hops = 0; at !== undefined && hops < MOST_HOPS; hops += 1) {
    const place = places.get(at);
    if (place) return place;
    at = links.get(at);
  }
  return undefined;
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  return bytesRead === length ? bytes : bytes.subarray(0, bytesRead);
}

function broken(label: string, why: string): MirrorError {
  return new MirrorError('bad-request', 'archive', `${label}: ${why}`);
}

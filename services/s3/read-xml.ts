import { S3Error } from './errors.ts';

/** Elements that come several times. */
const LISTS = new Set(['Object', 'Part', 'Tag']);
/** The documents of S3 are four deep. */
const MOST_DEPTH = 16;

/** Without a prototype: an element may be called "constructor". */
export type Parsed = Record<string, unknown>;

/** No list of S3's is longer, and none is read to its end that is. */
const MOST_ITEMS = 10_000;

const DECLARATION = /^<\?xml\s[^?<>]*\?>/;
const TAG = /<(\/?)([A-Za-z_][\w.:-]*)(?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*')){0,20}\s*(\/?)>/y;
const NAMED: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const NUMBERED = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/;

interface Open {
  name: string;
  text: string;
  children: Parsed | undefined;
}

/**
 * Reads a small document that a client sent: elements of text, or of elements. Throws `MalformedXML` for what is none,
 * for another root, for types and entities of its own, which are how documents grow, and for all that cannot be read as
 * one thing alone: of a key that was understood otherwise, the wrong object would be deleted. It takes as long as the
 * document is long.
 */
export function readXml(bytes: Buffer, root: string): Parsed {
  const text = decoded(bytes).replace(/\r\n?/g, '\n').replace(DECLARATION, '');
  const top: Open = { name: '', text: '', children: undefined };
  const open = [top];
  for (let at = 0; at < text.length; ) {
    const tag = text.indexOf('<', at);
    const inside = open.at(-1)!;
    inside.text += unescaped(tag < 0 ? text.slice(at) : text.slice(at, tag));
    if (tag < 0) break;
    if (text.startsWith('<!--', tag)) at = behind(text, '-->', tag + 4);
    else if (text.startsWith('<![CDATA[', tag)) {
      at = behind(text, ']]>', tag + 9);
      inside.text += text.slice(tag + 9, at - 3);
    } else at = takeTag(open, text, tag);
  }
  const [document] = Object.entries(top.children ?? {});
  if (open.length > 1 || top.text.trim() !== '' || document?.[0] !== root) throw malformed();
  // an element of nothing is text
  return typeof document[1] === 'object' ? (document[1] as Parsed) : Object.create(null);
}

function decoded(bytes: Buffer): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch {
    // told below
  }
  throw malformed();
}

function behind(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from);
  if (at < 0) throw malformed();
  return at + end.length;
}

/** @returns where the tag ends */
function takeTag(open: Open[], text: string, at: number): number {
  TAG.lastIndex = at;
  const [whole, closes, name = '', empty] = TAG.exec(text) ?? [];
  if (whole === undefined) throw malformed();
  if (closes === '/') {
    if (empty === '/' || open.at(-1)!.name !== name) throw malformed();
    close(open);
  } else {
    if (open.length > MOST_DEPTH) throw malformed();
    open.push({ name, text: '', children: undefined });
    if (empty === '/') close(open);
  }
  return at + whole.length;
}

function unescaped(text: string): string {
  let plain = '';
  let at = 0;
  for (let next = text.indexOf('&'); next >= 0; next = text.indexOf('&', at)) {
    const end = text.indexOf(';', next);
    plain += text.slice(at, next) + character(text.slice(next + 1, end < 0 ? next : end));
    at = end + 1;
  }
  return at === 0 ? text : plain + text.slice(at);
}

/** What a reference stands for. */
function character(name: string): string {
  if (Object.hasOwn(NAMED, name)) return NAMED[name]!;
  const [, hex, decimal] = NUMBERED.exec(name) ?? [];
  const point = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal ?? 0);
  if (point === 0 || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw malformed();
  return String.fromCodePoint(point);
}

/** An element is over: it becomes a part of the one around it. */
function close(open: Open[]): void {
  const { name, text, children } = open.pop()!;
  if (children && text.trim() !== '') throw malformed();
  const around = open.at(-1)!;
  around.children ??= Object.create(null) as Parsed;
  const held = around.children[name];
  if (LISTS.has(name) && open.length > 1) {
    if (held === undefined) around.children[name] = [children ?? text];
    else if ((held as unknown[]).push(children ?? text) > MOST_ITEMS) throw malformed();
  } else if (held !== undefined || (open.length === 1 && Object.keys(around.children).length > 0)) throw malformed();
  else around.children[name] = children ?? text;
}

export function malformed(): S3Error {
  return new S3Error(
    'bad-request',
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema.',
  );
}

/** The `<Tag>`s of an element. Throws `MalformedXML`. */
export function tagPairs(set: Parsed | ''): [string, string][] {
  const tags = (set || { Tag: [] }).Tag ?? [];
  if (!Array.isArray(tags)) throw malformed();
  return (tags as Parsed[]).map(({ Key: name, Value: value = '' }) => {
    if (typeof name !== 'string' || typeof value !== 'string') throw malformed();
    return [name, value];
  });
}

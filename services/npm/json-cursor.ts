/** Values within values; real packuments have ten at most. */
const DEEPEST = 200;

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];
const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const LONGEST_LITERAL = 64;

/**
 * Walks over JSON (RFC 8259) as it stands in bytes, and makes nothing of what is passed over: a third of what JSON.parse
 * costs, and it can be left at any member. Every method throws SyntaxError where the text is no JSON.
 */
export class JsonCursor {
  readonly #bytes: Buffer;
  /** True right behind an object's opening brace. */
  #first = false;
  /** Of the next byte to look at. */
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Goes into the object that begins here; false, and nothing happens, when the value is none. */
  enter(): boolean {
    this.at = spaceEnd(this.#bytes, this.at);
    if (this.#bytes[this.at] !== OPEN_OBJECT) return false;
    this.at += 1;
    this.#first = true;
    return true;
  }

  /** The name of the next member, in front of whose value it stands then; undefined behind the object's end. */
  key(): string | undefined {
    const bytes = this.#bytes;
    let at = spaceEnd(bytes, this.at);
    const isFirst = this.#first;
    this.#first = false;
    if (bytes[at] === CLOSE_OBJECT) {
      this.at = at + 1;
      return undefined;
    }
    if (!isFirst) at = spaceEnd(bytes, behind(bytes, at, COMMA));
    const end = stringEnd(bytes, at);
    this.at = spaceEnd(bytes, behind(bytes, spaceEnd(bytes, end), COLON));
    const text = bytes.toString('utf8', at + 1, end - 1);
    return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
  }

  /** Passes over the value that begins here. @returns where it begins; `at` is where it ends */
  skip(): number {
    const start = spaceEnd(this.#bytes, this.at);
    this.at = valueEnd(this.#bytes, start, 0);
    return start;
  }

  /** The text of the value that begins here, over the same memory. */
  value(): Buffer {
    const start = this.skip();
    return this.#bytes.subarray(start, this.at);
  }

  /** Sees that nothing follows. */
  end(): void {
    const at = spaceEnd(this.#bytes, this.at);
    if (at < this.#bytes.length) throw noJson(at);
  }
}

/*
 * Functions of bytes and a place in them, and no state: this is where every byte of every packument goes through.
 */

function valueEnd(bytes: Buffer, at: number, depth: number): number {
  const byte = bytes[at];
  if (byte === QUOTE) return stringEnd(bytes, at);
  if (byte !== OPEN_OBJECT && byte !== OPEN_ARRAY) return literalEnd(bytes, at);
  if (depth > DEEPEST) throw noJson(at);
  return byte === OPEN_OBJECT ? objectEnd(bytes, at, depth) : arrayEnd(bytes, at, depth);
}

function objectEnd(bytes: Buffer, from: number, depth: number): number {
  let at = spaceEnd(bytes, from + 1);
  if (bytes[at] === CLOSE_OBJECT) return at + 1;
  for (;;) {
    at = behind(bytes, spaceEnd(bytes, stringEnd(bytes, at)), COLON);
    at = spaceEnd(bytes, valueEnd(bytes, spaceEnd(bytes, at), depth + 1));
    if (bytes[at] === CLOSE_OBJECT) return at + 1;
    at = spaceEnd(bytes, behind(bytes, at, COMMA));
  }
}

function arrayEnd(bytes: Buffer, from: number, depth: number): number {
  let at = spaceEnd(bytes, from + 1);
  if (bytes[at] === CLOSE_ARRAY) return at + 1;
  for (;;) {
    at = spaceEnd(bytes, valueEnd(bytes, at, depth + 1));
    if (bytes[at] === CLOSE_ARRAY) return at + 1;
    at = spaceEnd(bytes, behind(bytes, at, COMMA));
  }
}

function stringEnd(bytes: Buffer, from: number): number {
  let at = behind(bytes, from, QUOTE);
  for (; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at += 1;
    else if (byte < 0x20) break;
  }
  throw noJson(at);
}

function literalEnd(bytes: Buffer, from: number): number {
  let at = from;
  for (; at < bytes.length && at - from < LONGEST_LITERAL; at += 1) {
    const byte = bytes[at]!;
    if (byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || byte <= 0x20) break;
  }
  if (!LITERAL.test(bytes.toString('latin1', from, at))) throw noJson(from);
  return at;
}

function spaceEnd(bytes: Buffer, from: number): number {
  let at = from;
  let byte = bytes[at];
  while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
    at += 1;
    byte = bytes[at];
  }
  return at;
}

function behind(bytes: Buffer, at: number, byte: number): number {
  if (bytes[at] !== byte) throw noJson(at);
  return at + 1;
}

function noJson(at: number): SyntaxError {
  return new SyntaxError(`what stands at byte ${at} is no JSON`);
}

/**
 * Values of `customMetrics` are Python literals: TAO reads them by `ast.literal_eval`, and takes for a plain text what is
 * none (reference ngc.md §1.2).
 */
export type Literal = string | number | boolean | null | Literal[] | { [name: string]: Literal };

const WORDS: Record<string, Literal> = { True: true, False: false, None: null };
/** Lists in lists. */
const MOST_DEPTH = 50;

/** The literal that a text is; the text itself when it is none. */
export function readLiteral(text: string): Literal {
  try {
    const reader = new Reader(text);
    const value = reader.value(0);
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof NoLiteral) return text;
    throw error;
  }
}

/** The text of a literal. */
export function writeLiteral(value: Literal): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return /^[^'\\\x00-\x1f\x7f]*$/.test(value) ? `'${value}'` : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(writeLiteral).join(', ')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value).map(([name, one]) => `${writeLiteral(name)}: ${writeLiteral(one)}`);
    return `{${members.join(', ')}}`;
  }
  return String(value);
}

class NoLiteral extends Error {}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Literal {
    if (depth > MOST_DEPTH) throw new NoLiteral();
    const first = this.#peek();
    if (first === "'" || first === '"') return this.#string(first);
    if (first === '[') return this.#list(']', depth).items;
    if (first === '(') return this.#tuple(depth);
    if (first === '{') return this.#dict(depth);
    const word = /[\w.+-]+/y;
    word.lastIndex = this.#at;
    const found = word.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    if (Object.hasOwn(WORDS, found)) return WORDS[found]!;
    if (/^[+-]?(\d[\d_]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(found)) return Number(found.replaceAll('_', ''));
    throw new NoLiteral();
  }

  end(): void {
    this.#peek();
    if (this.#at < this.#text.length) throw new NoLiteral();
  }

  /** The next character that is no blank. */
  #peek(): string {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
    return this.#text[this.#at] ?? '';
  }

  #takes(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #string(quote: string): string {
    let text = '';
    for (this.#at += 1; ; this.#at += 1) {
      const character = this.#text[this.#at];
      if (character === undefined) throw new NoLiteral();
      if (character === quote) break;
      text += character === '\\' ? this.#escaped() : character;
    }
    this.#at += 1;
    return text;
  }

  #escaped(): string {
    this.#at += 1;
    const character = this.#text[this.#at] ?? '';
    const length = ({ x: 2, u: 4, U: 8 } as Record<string, number>)[character];
    if (length !== undefined) {
      const hex = this.#text.slice(this.#at + 1, this.#at + 1 + length);
      if (!/^[0-9a-fA-F]+$/.test(hex) || hex.length < length || Number.parseInt(hex, 16) > 0x10ffff)
        throw new NoLiteral();
      this.#at += length;
      return String.fromCodePoint(Number.parseInt(hex, 16));
    }
    const plain = ({ n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' } as Record<string, string>)[character];
    // an escape that Python does not know stays as it is
    return plain ?? `\\${character}`;
  }

  #list(close: string, depth: number): { items: Literal[]; commas: number } {
    this.#at += 1;
    const items: Literal[] = [];
    let commas = 0;
    while (!this.#takes(close)) {
      items.push(this.value(depth + 1));
      if (this.#takes(',')) commas += 1;
      else if (this.#peek() !== close) throw new NoLiteral();
    }
    return { items, commas };
  }

  /** `(1)` is 1, `(1,)` a list of it. */
  #tuple(depth: number): Literal {
    const { items, commas } = this.#list(')', depth);
    return items.length === 1 && commas === 0 ? items[0]! : items;
  }

  #dict(depth: number): Literal {
    this.#at += 1;
    const members: [string, Literal][] = [];
    while (!this.#takes('}')) {
      const name = this.value(depth + 1);
      if (!this.#takes(':')) throw new NoLiteral();
      members.push([String(name), this.value(depth + 1)]);
      if (!this.#takes(',') && this.#peek() !== '}') throw new NoLiteral();
    }
    return Object.fromEntries(members);
  }
}

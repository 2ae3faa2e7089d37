/**
 * Parts of JSON as they stand in its text. What NGC said is kept and given on as it came (numbers, escapes, the order of
 * members), so that lists are put together and thinned out as text. The text has to be JSON: whoever calls has parsed it.
 */

/** A value's text. Undefined when `object` is no object or has no such member; of members of one name the last counts. */
export function memberOf(object: string, name: string): string | undefined {
  const at = spanOf(object, name);
  return at && object.slice(at.start, at.end);
}

/** The same object with another value for a member, which is added at the end when it is not there. */
export function withMember(object: string, name: string, value: string): string {
  const at = spanOf(object, name);
  if (at) return object.slice(0, at.start) + value + object.slice(at.end);
  const end = object.lastIndexOf('}');
  const isEmpty = /^\s*\{\s*$/.test(object.slice(0, end));
  return `${object.slice(0, end)}${isEmpty ? '' : ','}${JSON.stringify(name)}:${value}${object.slice(end)}`;
}

/** The texts of an array's elements. */
export function elementsOf(array: string): string[] {
  const found: string[] = [];
  let at = spaceAfter(array, 0);
  if (array[at] !== '[') return found;
  at = spaceAfter(array, at + 1);
  while (at < array.length && array[at] !== ']') {
    const end = endOf(array, at);
    found.push(array.slice(at, end));
    at = spaceAfter(array, end);
    if (array[at] === ',') at = spaceAfter(array, at + 1);
  }
  return found;
}

/** The texts of an object's members by their names, in their order; of members of one name the last. */
export function membersOf(object: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, start, end } of spansIn(object)) found.set(name, object.slice(start, end));
  return found;
}

interface Span {
  name: string;
  start: number;
  end: number;
}

function spanOf(object: string, name: string): Span | undefined {
  let found: Span | undefined;
  for (const span of spansIn(object)) if (span.name === name) found = span;
  return found;
}

function* spansIn(object: string): Generator<Span> {
  let at = spaceAfter(object, 0);
  if (object[at] !== '{') return;
  at = spaceAfter(object, at + 1);
  while (at < object.length && object[at] !== '}') {
    const keyEnd = endOf(object, at);
    const name = JSON.parse(object.slice(at, keyEnd)) as string;
    const start = spaceAfter(object, spaceAfter(object, keyEnd) + 1);
    const end = endOf(object, start);
    yield { name, start, end };
    at = spaceAfter(object, end);
    if (object[at] === ',') at = spaceAfter(object, at + 1);
  }
}

function spaceAfter(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at]!)) at += 1;
  return at;
}

/** Where the value ends that begins at `from`. */
function endOf(text: string, from: number): number {
  const first = text[from];
  if (first === '"') return endOfString(text, from);
  if (first !== '{' && first !== '[') {
    let at = from;
    while (at < text.length && !/[\s,\]}]/.test(text[at]!)) at += 1;
    return at;
  }
  let depth = 0;
  for (let at = from; at < text.length; ) {
    const char = text[at]!;
    if (char === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return text.length;
}

function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return text.length;
}

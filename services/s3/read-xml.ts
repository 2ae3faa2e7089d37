import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { S3Error } from './errors.ts';

const LISTS = new Set(['Object', 'Part', 'Tag']);
const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  parseTagValue: false,
  // a key may begin or end with blanks
  trimValues: false,
  htmlEntities: true,
  isArray: (name) => LISTS.has(name),
});

export type Parsed = Record<string, unknown>;

/**
 * Reads a small document that a client sent. Throws `MalformedXML` for what is none, for another root, and for one that
 * declares entities of its own: nothing here needs them, and they are how such documents grow.
 */
export function readXml(bytes: Buffer, root: string): Parsed {
  const text = bytes.toString('utf8');
  if (/<!DOCTYPE|<!ENTITY/i.test(text) || XMLValidator.validate(text) !== true) throw malformed();
  const found = (parser.parse(text) as Parsed)[root];
  if (found === undefined) throw malformed();
  // an empty element is text to the parser
  return typeof found === 'object' && found !== null ? (found as Parsed) : {};
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

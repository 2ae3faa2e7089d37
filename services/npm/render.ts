import { createHash } from 'node:crypto';
import { attestationsUrl, tarballUrl } from './address.ts';
import { JsonCursor } from './json-cursor.ts';
import type { Package } from './package.ts';
import type { Span, VersionText } from './packument-text.ts';
import { INSTALL_FIELDS } from './refs.ts';
import { Turn } from './turn.ts';

/** `full` is all that is known; `abbreviated` is what installers read (npm's package-metadata document). */
export type Form = 'full' | 'abbreviated';

/** What npm runs at an install, when a package has it. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall'];

/** A packument as it goes out. */
export interface Rendered {
  bytes: Buffer;
  /** Hex. */
  sha256: string;
}

/** A value that goes in the place of another. */
interface Replacement extends Span {
  value: Buffer;
}

/**
 * A packument as it goes out. Versions are copied as they came, but for the addresses of what we have ourselves; others
 * get their turn meanwhile.
 * @param base of our addresses
 */
export async function renderPackument(found: Package, form: Form, base: string): Promise<Rendered> {
  const { text, name } = found;
  const pieces: Buffer[] = [opening(found, form)];
  const turn = new Turn();
  let separator = '';
  for (const [version, versionText] of text.versions) {
    pieces.push(Buffer.from(`${separator}${JSON.stringify(version)}:`));
    separator = ',';
    const replacements = replacementsIn(versionText, {
      tarball: tarballUrl(base, name, version),
      attestations: attestationsUrl(base, name, version),
    });
    if (form === 'full') replaced(versionText.text, { start: 0, end: versionText.text.length }, replacements, pieces);
    else abbreviated(versionText.text, replacements, pieces);
    if (turn.isOver()) await turn.next();
  }
  pieces.push(Buffer.from(form === 'full' ? `},"time":${JSON.stringify(text.times)}}` : '}}'));
  return joined(pieces, turn);
}

/** As Buffer.concat, in turns. */
async function joined(pieces: readonly Buffer[], turn: Turn): Promise<Rendered> {
  const hash = createHash('sha256');
  const bytes = Buffer.allocUnsafeSlow(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    at += piece.copy(bytes, at);
    hash.update(piece);
    if (turn.isOver()) await turn.next();
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Up to the first version. */
function opening({ name, text, tags }: Package, form: Form): Buffer {
  const head = `"dist-tags":${JSON.stringify(tags)},"versions":{`;
  if (form === 'abbreviated') {
    const { modified } = text.times;
    const when = modified === undefined ? '' : `"modified":${JSON.stringify(modified)},`;
    return Buffer.from(`{"name":${JSON.stringify(name)},${when}${head}`);
  }
  const fields = [...text.rest].filter(([key]) => key !== 'name');
  const rest = fields.flatMap(([key, value]) => [Buffer.from(`${JSON.stringify(key)}:`), value, Buffer.from(',')]);
  return Buffer.concat([Buffer.from(`{"name":${JSON.stringify(name)},`), ...rest, Buffer.from(head)]);
}

function replacementsIn(
  { tarball, attestations }: VersionText,
  addresses: { tarball: string; attestations: string },
): Replacement[] {
  const found = [{ ...tarball, value: Buffer.from(JSON.stringify(addresses.tarball)) }];
  if (attestations) found.push({ ...attestations, value: Buffer.from(JSON.stringify(addresses.attestations)) });
  return found.sort((one, other) => one.start - other.start);
}

/** Adds a part of a text, with other values in the places that lie in it. */
function replaced(text: Buffer, { start, end }: Span, replacements: readonly Replacement[], pieces: Buffer[]): void {
  let at = start;
  for (const { start: from, end: to, value } of replacements) {
    if (from < start || to > end) continue;
    pieces.push(text.subarray(at, from), value);
    at = to;
  }
  pieces.push(text.subarray(at, end));
}

const FIELDS = new Map(
  INSTALL_FIELDS.map((field) => [field, [`{"${field}":`, `,"${field}":`].map((s) => Buffer.from(s))]),
);
const HAS_SCRIPT = Buffer.from(',"hasInstallScript":true');
const CLOSE = Buffer.from('}');

/** Adds what installers read of a version. */
function abbreviated(text: Buffer, replacements: readonly Replacement[], pieces: Buffer[]): void {
  const cursor = new JsonCursor(text);
  cursor.enter();
  let count = 0;
  let hasScript: boolean | undefined;
  for (let key = cursor.key(); key !== undefined; key = cursor.key()) {
    const start = cursor.skip();
    const span = { start, end: cursor.at };
    if (key === 'hasInstallScript') hasScript = false;
    if (key === 'scripts') hasScript ??= hasInstallScript(text.toString('utf8', start, span.end));
    const field = FIELDS.get(key);
    if (!field) continue;
    pieces.push(field[count === 0 ? 0 : 1]!);
    replaced(text, span, replacements, pieces);
    count += 1;
  }
  if (hasScript) pieces.push(HAS_SCRIPT);
  pieces.push(CLOSE);
}

/** Not all registries say so beside the scripts, and installers skip scripts that they are not told of. */
function hasInstallScript(json: string): boolean {
  if (!json.includes('install')) return false;
  const scripts = JSON.parse(json) as Record<string, unknown> | null;
  return INSTALL_SCRIPTS.some((name) => Boolean(scripts?.[name]));
}

import { MirrorError } from '../../shared/model/errors.ts';
import { applies, parseRequirement, type Requirement } from './python/requirement.ts';
import { type Line, noWishes, type Pin, type Wishes } from './wishes.ts';

interface Parsed extends Line {
  requirement: Requirement;
  hashes: Set<string>;
}

/** Where things come from is the mirror's to decide. */
const PLACES = /^(-i|-f|--index-url|--pypi-url|--extra-index-url|--find-links|--no-index|--trusted-host)(?![\w-])/;
/** What has no meaning here: which kinds of files are taken is said by the manifest. */
const WITHOUT_MEANING =
  /^(--prefer-binary|--only-binary|--no-binary|--require-hashes|--use-feature|--no-deps)(?![\w-])/;
const LOCAL = /^(-e\s*|--editable[\s=]+)|^(\.{1,2}(\/|\[|$)|\/|file:)|^[^@;]+\.(whl|zip|tar\.gz)$/;

/**
 * Requirements lines (https://pip.pypa.io/en/stable/reference/requirements-file-format/). With hashes they are a lock
 * ("if any requirement has a hash, all must"), and when the manifest says so; else they are wishes for the resolver.
 */
export function readRequirements(lines: readonly Line[], exact: boolean, constraints: readonly Line[] = []): Wishes {
  const wishes = noWishes();
  const parsed: Parsed[] = [];
  const local: Line[] = [];
  for (const line of lines) {
    if (/^--pre$/.test(line.text)) wishes.prereleases = true;
    else if (PLACES.test(line.text)) wishes.notes.push(`${line.why}: left out, the mirror's origins are asked instead`);
    else if (LOCAL.test(line.text)) local.push(line);
    else if (line.text.startsWith('-') && !WITHOUT_MEANING.test(line.text))
      throw refused(line, `"${line.text.slice(0, 80)}" is no option that is known here`);
    else if (!line.text.startsWith('-')) parsed.push(parseLine(line));
  }
  const isLock = exact || parsed.some(({ hashes }) => hashes.size > 0);
  if (!isLock) {
    refuseLocal(local);
    wishes.loose = parsed.map(({ text, why }) => ({ text: splitOptions(text)[0], why }));
    wishes.constraints = constraints.map((line) => splitOptions(parseLine(line).text)[0]);
    return wishes;
  }
  for (const { why, text } of local) wishes.notes.push(`${why}: left out, ${text} is not from an index`);
  const pinned = parsed.map((one) => ({ ...one, pin: pinOf(one, !exact) }));
  wishes.pins = ({ environment }) =>
    pinned.filter(({ requirement }) => applies(requirement, environment)).map(({ pin }) => pin);
  return wishes;
}

/** The requirement, then its options. */
function splitOptions(text: string): [string, ...string[]] {
  return text.split(/\s+(?=--[a-z])/) as [string, ...string[]];
}

function parseLine(line: Line): Parsed {
  const [text, ...options] = splitOptions(line.text);
  const requirement = parseRequirement(text);
  if (!requirement) throw refused(line, `"${text.slice(0, 200)}" is no requirement`);
  if (requirement.url)
    throw refused(
      line,
      `${requirement.name} is taken from an address, not from an index; upload it to the site instead`,
    );
  const hashes = options.map((option) => /^--hash[\s=]+(\w+:[0-9a-fA-F]+)$/.exec(option.trim())?.[1]?.toLowerCase());
  return { ...line, requirement, hashes: new Set(hashes.filter((hash) => hash !== undefined)) };
}

/** @param hashed every line must have a hash, since one has */
function pinOf({ requirement, hashes, ...line }: Parsed, hashed: boolean): Pin {
  const version = pinnedVersion(requirement);
  if (version === undefined) throw refused(line, `${requirement.name} is not pinned with "==", as a lock must be`);
  if (hashed && hashes.size === 0)
    throw refused(line, `${requirement.name} has no hash, and others have: a lock has them for all`);
  return { project: requirement.name, version, why: line.why, ...(hashes.size > 0 ? { hashes } : {}) };
}

/** The one version that a requirement allows, when it is an exact one. */
export function pinnedVersion({ specifiers }: Requirement): string | undefined {
  const [only, ...others] = specifiers.clauses;
  if (!only || others.length > 0 || only.prefix || !/^===?$/.test(only.operator)) return undefined;
  return only.text;
}

function refuseLocal(local: readonly Line[]): void {
  const [first] = local;
  if (first) throw refused(first, `${first.text} is not from an index; name what it needs, or give a lock of it`);
}

function refused(line: Line, message: string): MirrorError {
  return new MirrorError('bad-request', 'manifest', `${line.why}: ${message}`);
}

/** The lines that a resolver printed: each a pin, and who asked for it (`# via requests`). */
export function readResolved(output: string, whyOf: (via: string[], project: string) => string): Pin[] {
  const pins: Pin[] = [];
  for (const line of output.split('\n')) {
    const [text, via] = line.split(/\s+#\s*via\s+/) as [string, string?];
    if (text.trim() === '' || /^\s*[#-]/.test(text)) continue;
    const requirement = parseRequirement(text.replace(/\s+#.*$/, ''));
    const version = requirement && pinnedVersion(requirement);
    if (!requirement || version === undefined)
      throw new MirrorError('unavailable', 'project', `the resolver said "${line.slice(0, 200)}", which is no pin`);
    const names = via?.split(',').map((name) => name.trim()) ?? [];
    pins.push({ project: requirement.name, version, why: whyOf(names, requirement.name) });
  }
  return pins;
}

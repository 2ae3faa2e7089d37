import { MirrorError } from '../../shared/model/errors.ts';
import type { Line, Pin, Wishes } from './locks.ts';
import { applies, parseRequirement, type Requirement } from './python/requirement.ts';
import type { Target } from './python/target.ts';

interface Parsed extends Line {
  requirement: Requirement;
  sha256: Set<string>;
}

/** Options of pip that say where from: that is the mirror's to decide. */
const PLACES =
  /^(-i|-c|-f|--index-url|--extra-index-url|--find-links|--trusted-host|--no-index|--constraint|--prefer-binary|--only-binary|--no-binary|--require-hashes|--pre|--use-feature)\b/;

/**
 * Requirements lines. With hashes on every one (pip's own rule: then all must be pinned and complete), or when the
 * manifest says so, they are a lock; else they are wishes for the resolver, pins included.
 */
export function readRequirements(lines: readonly Line[], exact: boolean): Wishes {
  const parsed = lines.filter(({ text }) => !PLACES.test(text)).map(parseLine);
  const isLock = exact || (parsed.length > 0 && parsed.every(({ sha256 }) => sha256.size > 0));
  if (!isLock)
    return {
      pins: () => [],
      loose: parsed.map(({ text, why }) => ({ text: text.replace(/\s+--hash=\S+/g, ''), why })),
    };
  return {
    pins: (target) => parsed.filter(({ requirement }) => applies(requirement, target.environment)).map(pinOf),
    loose: [],
  };
}

function parseLine(line: Line): Parsed {
  const [text, ...options] = line.text.split(/\s+(?=--)/);
  const requirement = parseRequirement(text!);
  if (!requirement)
    throw new MirrorError('bad-request', 'manifest', `${line.why}: "${line.text.slice(0, 200)}" is no requirement`);
  if (requirement.url)
    throw new MirrorError(
      'bad-request',
      'manifest',
      `${line.why}: ${requirement.name} is taken from an address, not from an index; upload it to the site instead`,
    );
  const sha256 = options
    .map((option) => /^--hash=sha256:([0-9a-f]{64})$/.exec(option.trim())?.[1])
    .filter((hex) => hex !== undefined);
  return { ...line, requirement, sha256: new Set(sha256) };
}

function pinOf({ requirement, sha256, why }: Parsed): Pin {
  const { clauses } = requirement.specifiers;
  const [only] = clauses;
  if (clauses.length !== 1 || !only || only.prefix || (only.operator !== '==' && only.operator !== '===')) {
    throw new MirrorError(
      'bad-request',
      'manifest',
      `${why}: ${requirement.name} is not pinned with "==", as a lock must be`,
    );
  }
  return { project: requirement.name, version: only.text, why, ...(sha256.size > 0 ? { sha256 } : {}) };
}

/** The lines that a resolver printed: pins, with a marker now and then. */
export function readResolved(output: string, why: string, target: Target): Pin[] {
  const lines = output
    .split('\n')
    .map((text) => text.replace(/(^|\s)#.*$/, '').trim())
    .filter((text) => text !== '' && !text.startsWith('-'));
  return readRequirements(
    lines.map((text) => ({ text, why })),
    true,
  ).pins(target);
}

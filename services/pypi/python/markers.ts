import { normalizeName } from '../project-name.ts';
import { parseSpecifiers, satisfies } from './specifiers.ts';

/** What a marker is asked of: PEP 508's variables, and the extras and groups that are wanted. */
export interface MarkerEnvironment {
  values: Readonly<Record<string, string>>;
  /** Names of any spelling. */
  extras?: readonly string[];
  groups?: readonly string[];
}

type Operand = { variable: string } | { text: string };
export type Marker =
  | { kind: 'and' | 'or'; parts: Marker[] }
  | { kind: 'compare'; left: Operand; operator: string; right: Operand };

const TOKEN = /\s*(?:([()])|("[^"]*"|'[^']*')|(===|==|~=|!=|<=|>=|<|>)|([A-Za-z_][\w.]*))/y;
const OPERATOR = /^(===|==|~=|!=|<=|>=|<|>|in|not in)$/;

const VARIABLES = new Set([
  'python_version',
  'python_full_version',
  'os_name',
  'sys_platform',
  'platform_release',
  'platform_system',
  'platform_version',
  'platform_machine',
  'platform_python_implementation',
  'implementation_name',
  'implementation_version',
  'extra',
  'extras',
  'dependency_groups',
]);
/** "Python 2 style" names that old metadata has. */
const OLD_NAMES: Record<string, string> = {
  'os.name': 'os_name',
  'sys.platform': 'sys_platform',
  'platform.version': 'platform_version',
  'platform.machine': 'platform_machine',
  'platform.python_implementation': 'platform_python_implementation',
  python_implementation: 'platform_python_implementation',
};
/** Variables whose comparisons are those of versions, where the other side can be read as one. */
const VERSIONS = new Set(['python_version', 'python_full_version', 'implementation_version', 'platform_release']);

/**
 * Parses an environment marker
 * (https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers).
 * Undefined for what is none.
 */
export function parseMarker(text: string): Marker | undefined {
  const tokens = tokenize(text);
  if (!tokens) return undefined;
  const marker = parseOr(tokens);
  return tokens.length === 0 ? marker : undefined;
}

function tokenize(text: string): string[] | undefined {
  const tokens: string[] = [];
  const source = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (!match) return undefined;
    tokens.push(match[0].trim());
  }
  return tokens;
}

/** Each of these takes its tokens off the front. */
function parseOr(tokens: string[]): Marker | undefined {
  return parseChain(tokens, 'or', () => parseChain(tokens, 'and', () => parseOne(tokens)));
}

function parseChain(tokens: string[], word: 'and' | 'or', next: () => Marker | undefined): Marker | undefined {
  const parts: Marker[] = [];
  do {
    const part = next();
    if (!part) return undefined;
    parts.push(part);
  } while (tokens[0] === word && tokens.shift());
  return parts.length === 1 ? parts[0] : { kind: word, parts };
}

function parseOne(tokens: string[]): Marker | undefined {
  if (tokens[0] === '(') {
    tokens.shift();
    const inner = parseOr(tokens);
    return tokens.shift() === ')' ? inner : undefined;
  }
  const left = operand(tokens.shift());
  let operator = tokens.shift() ?? '';
  if (operator === 'not') operator = `not ${tokens.shift()}`;
  const right = operand(tokens.shift());
  return left && right && OPERATOR.test(operator) ? { kind: 'compare', left, operator, right } : undefined;
}

function operand(token: string | undefined): Operand | undefined {
  if (token === undefined) return undefined;
  if (/^["']/.test(token)) return { text: token.slice(1, -1) };
  const variable = OLD_NAMES[token] ?? token;
  return VARIABLES.has(variable) ? { variable } : undefined;
}

/**
 * True when a marker holds in an environment. A comparison that means nothing (`sys_platform ~= "linux"`) does not hold.
 */
export function evaluateMarker(marker: Marker, environment: MarkerEnvironment): boolean {
  if (marker.kind !== 'compare') {
    const holds = (part: Marker) => evaluateMarker(part, environment);
    return marker.kind === 'and' ? marker.parts.every(holds) : marker.parts.some(holds);
  }
  const { left, operator, right } = marker;
  const variable = 'variable' in left ? left.variable : 'variable' in right ? right.variable : undefined;
  if (variable === undefined) return false;
  if (variable === 'extra') return compareExtra(left, operator, right, environment.extras ?? []);
  if (variable === 'extras') return isAmong(left, operator, environment.extras ?? []);
  if (variable === 'dependency_groups') return isAmong(left, operator, environment.groups ?? []);
  return compare(textOf(left, environment), operator, textOf(right, environment), VERSIONS.has(variable));
}

function textOf(operand: Operand, environment: MarkerEnvironment): string {
  return 'text' in operand ? operand.text : (environment.values[operand.variable] ?? '');
}

/**
 * `extra == "x"` asks whether x is among those wanted; "tools MUST normalize the names being compared" (PEP 685).
 * Anything else is asked of each of them in turn, and of the empty name where none is wanted.
 */
function compareExtra(left: Operand, operator: string, right: Operand, extras: readonly string[]): boolean {
  const wanted = extras.length === 0 ? [''] : extras.map(normalizeName);
  const name = normalizeName('text' in left ? left.text : 'text' in right ? right.text : '');
  if (operator === '==') return wanted.includes(name);
  if (operator === '!=') return !wanted.includes(name);
  return wanted.some((extra) => ('text' in left ? compare(name, operator, extra) : compare(extra, operator, name)));
}

/** `"x" in extras` (PEP 751): lock files alone have sets. */
function isAmong(left: Operand, operator: string, names: readonly string[]): boolean {
  if (!('text' in left) || (operator !== 'in' && operator !== 'not in')) return false;
  return names.map(normalizeName).includes(normalizeName(left.text)) === (operator === 'in');
}

/** As versions where both sides can be read so, else as text, which has no order: `<=` is `==` then, as in pip. */
function compare(left: string, operator: string, right: string, asVersions = false): boolean {
  const set = asVersions && !operator.endsWith('in') ? parseSpecifiers(operator + right) : undefined;
  if (set && !right.includes(',')) return satisfies(left, set, { prereleases: true });
  switch (operator) {
    case 'in':
      return right.includes(left);
    case 'not in':
      return !right.includes(left);
    case '==':
    case '<=':
    case '>=':
      return left === right;
    case '!=':
      return left !== right;
    default:
      return false;
  }
}

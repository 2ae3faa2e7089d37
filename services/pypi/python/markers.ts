import { parseSpecifiers, satisfies } from './specifiers.ts';

/** What a marker is asked of: PEP 508's variables, and the extras and groups that are wanted. */
export interface MarkerEnvironment {
  values: Readonly<Record<string, string>>;
  /** Normalised names. */
  extras?: readonly string[];
  groups?: readonly string[];
}

type Operand = { variable: string } | { text: string };
export type Marker =
  | { kind: 'and' | 'or'; parts: Marker[] }
  | { kind: 'compare'; left: Operand; operator: string; right: Operand };

const TOKEN = /\s*(?:(\(|\))|("[^"]*"|'[^']*')|(===|==|~=|!=|<=|>=|<|>)|([A-Za-z_][\w.]*))/y;
/** Variables whose comparisons are those of versions. */
const VERSIONS = new Set(['python_version', 'python_full_version', 'implementation_version']);
const OLD_NAMES: Record<string, string> = {
  'os.name': 'os_name',
  'sys.platform': 'sys_platform',
  'platform.version': 'platform_version',
  'platform.machine': 'platform_machine',
  'platform.python_implementation': 'platform_python_implementation',
  python_implementation: 'platform_python_implementation',
};

/** Parses an environment marker (PEP 508). Undefined for what is none. */
export function parseMarker(text: string): Marker | undefined {
  const tokens = tokenize(text);
  if (!tokens) return undefined;
  let place = 0;
  const peek = () => tokens[place];

  function either(): Marker | undefined {
    return chain('or', both);
  }
  function both(): Marker | undefined {
    return chain('and', single);
  }
  function chain(word: 'and' | 'or', next: () => Marker | undefined): Marker | undefined {
    const parts: Marker[] = [];
    do {
      const part = next();
      if (!part) return undefined;
      parts.push(part);
    } while (peek() === word && ++place);
    return parts.length === 1 ? parts[0] : { kind: word, parts };
  }
  function single(): Marker | undefined {
    if (peek() !== '(') return comparison();
    place += 1;
    const inner = either();
    if (!inner || peek() !== ')') return undefined;
    place += 1;
    return inner;
  }
  function comparison(): Marker | undefined {
    const left = operand(tokens![place++]);
    let operator = tokens![place++];
    if (operator === 'not' && peek() === 'in') {
      place += 1;
      operator = 'not in';
    }
    const right = operand(tokens![place++]);
    if (!left || !right || !operator || !/^(===|==|~=|!=|<=|>=|<|>|in|not in)$/.test(operator)) return undefined;
    return { kind: 'compare', left, operator, right };
  }

  const marker = either();
  return place === tokens.length ? marker : undefined;
}

function tokenize(text: string): string[] | undefined {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const match = TOKEN.exec(text);
    if (!match) return undefined;
    tokens.push(match[0].trim());
  }
  return tokens.length > 0 ? tokens : undefined;
}

function operand(token: string | undefined): Operand | undefined {
  if (token === undefined) return undefined;
  if (/^["']/.test(token)) return { text: token.slice(1, -1) };
  return /^[a-z_]/i.test(token) ? { variable: OLD_NAMES[token] ?? token } : undefined;
}

/** True when a marker holds in an environment. */
export function evaluateMarker(marker: Marker, environment: MarkerEnvironment): boolean {
  if (marker.kind !== 'compare') {
    const holds = (part: Marker) => evaluateMarker(part, environment);
    return marker.kind === 'and' ? marker.parts.every(holds) : marker.parts.some(holds);
  }
  const { left, operator, right } = marker;
  const variable = 'variable' in left ? left.variable : 'variable' in right ? right.variable : undefined;
  if (variable === 'extra') return compareExtra(left, operator, right, environment);
  const list =
    variable === 'extras' ? environment.extras : variable === 'dependency_groups' ? environment.groups : undefined;
  if (list || variable === 'extras' || variable === 'dependency_groups') {
    const found = (list ?? []).includes(normal(textOf(left, environment)));
    return operator === 'not in' ? !found : found;
  }
  return compare(textOf(left, environment), operator, textOf(right, environment), variable);
}

function textOf(operand: Operand, environment: MarkerEnvironment): string {
  return 'text' in operand ? operand.text : (environment.values[operand.variable] ?? '');
}

/** `extra == "x"` asks whether x is among the wanted extras. */
function compareExtra(left: Operand, operator: string, right: Operand, environment: MarkerEnvironment): boolean {
  const wanted = normal('text' in left ? left.text : 'text' in right ? right.text : '');
  const found = (environment.extras ?? []).includes(wanted);
  return operator === '!=' ? !found : found;
}

function normal(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

/** Versions where the variable is one and both sides can be read so; text otherwise. */
function compare(left: string, operator: string, right: string, variable: string | undefined): boolean {
  if (operator === 'in')
    return variable !== undefined && VERSIONS.has(variable)
      ? right.split(/[\s,]+/).includes(left) || right.includes(left)
      : right.includes(left);
  if (operator === 'not in') return !right.includes(left);
  const set = variable === undefined || VERSIONS.has(variable) ? parseSpecifiers(`${operator}${right}`) : undefined;
  if (set && variable !== undefined) return satisfies(left, set, { prereleases: true });
  switch (operator) {
    case '==':
    case '===':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    default:
      return false;
  }
}

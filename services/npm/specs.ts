import { Range } from 'semver';
import { MirrorError } from '../../shared/model/errors.ts';
import { isPackageName } from './package-name.ts';

/** What is asked for by name: `react`, `react@^19`, `react@next`, `other@npm:react@^18`. */
export interface Spec {
  /** The name in `node_modules`. */
  name: string;
  /** As a package.json has it behind the name. */
  range: string;
}

/**
 * Reads what `npm install` takes for a package of a registry
 * (https://github.com/npm/cli/blob/latest/docs/lib/content/using-npm/package-spec.md).
 * Throws `bad-request` for what comes from elsewhere.
 */
export function parseSpec(text: string): Spec {
  const at = text.indexOf('@', 1);
  const name = at === -1 ? text : text.slice(0, at);
  const range = at === -1 ? '' : text.slice(at + 1).trim();
  const alias = /^npm:(.+)$/s.exec(range)?.[1];
  if (alias !== undefined) {
    const real = parseSpec(alias);
    if (isPackageName(name)) return { name, range: `npm:${real.name}@${real.range}` };
  } else if (isPackageName(name) && isRangeOrTag(range)) return { name, range: range || 'latest' };
  const words =
    'a name of the registry, alone or with a range or tag: react, react@^19, @types/node@24, other@npm:react@18';
  throw new MirrorError(
    'bad-request',
    'manifest',
    `"${text.slice(0, 200)}" cannot be had from a registry; say ${words}`,
  );
}

function isRangeOrTag(text: string): boolean {
  if (/[:/#\\]/.test(text)) return false;
  return isRange(text) || encodeURIComponent(text) === text;
}

function isRange(text: string): boolean {
  try {
    return Boolean(new Range(text, { loose: true }));
  } catch {
    return false;
  }
}

/** Projects that can hold these: no name stands in one twice. */
export function projectsOf(specs: readonly Spec[]): Spec[][] {
  const projects: Spec[][] = [];
  for (const spec of specs) {
    if (specs.some((one, index) => index < specs.indexOf(spec) && one.name === spec.name && one.range === spec.range))
      continue;
    const place = projects.find((project) => project.every(({ name }) => name !== spec.name));
    if (place) place.push(spec);
    else projects.push([spec]);
  }
  return projects;
}

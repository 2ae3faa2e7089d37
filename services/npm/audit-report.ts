import type { Advisories, Advisory } from './advisories.ts';
import { isAffected } from './advisories.ts';
import type { AuditTree, Place } from './audit-tree.ts';

/** Places of one advisory that are told: a tree may lead to a package in a million ways. */
const MOST_PATHS = 200;
const SEVERITIES = ['info', 'low', 'moderate', 'high', 'critical'] as const;

/** An audit's answer in the older form, which npm 6, yarn and pnpm 10 read. */
export interface AuditReport {
  actions: object[];
  advisories: Record<string, object>;
  muted: never[];
  metadata: object;
}

/**
 * Writes what is known against the packages of a tree as a report. The newer endpoint tells less of an advisory than the
 * older one did: which versions are good is read off those that are not, and what to do is left to a review.
 */
export function reportOf(tree: AuditTree, advisories: Advisories): AuditReport {
  const places = Map.groupBy(tree.places, ({ name }) => name);
  const vulnerabilities = Object.fromEntries(SEVERITIES.map((severity) => [severity, 0]));
  const report: AuditReport = { actions: [], advisories: {}, muted: [], metadata: {} };
  for (const [name, list] of Object.entries(advisories)) {
    for (const advisory of list) {
      const found = (places.get(name) ?? []).filter(({ version }) => isAffected(version, advisory));
      if (found.length === 0) continue;
      const severity = severityOf(advisory);
      vulnerabilities[severity]! += found.length;
      report.advisories[String(advisory.id)] = written(name, advisory, severity, found.slice(0, MOST_PATHS));
      report.actions.push(actionOf(name, advisory, found.slice(0, MOST_PATHS)));
    }
  }
  report.metadata = { vulnerabilities, ...countsOf(tree) };
  return report;
}

function severityOf({ severity }: Advisory): (typeof SEVERITIES)[number] {
  return SEVERITIES.find((one) => one === severity) ?? 'high';
}

function written(name: string, advisory: Advisory, severity: string, found: readonly Place[]): object {
  const patched = patchedVersions(advisory.vulnerable_versions ?? '*');
  const byVersion = Map.groupBy(found, ({ version }) => version);
  return {
    findings: [...byVersion].map(([version, list]) => ({ version, paths: list.map(pathOf) })),
    id: advisory.id,
    title: advisory.title ?? '',
    module_name: name,
    severity,
    vulnerable_versions: advisory.vulnerable_versions ?? '*',
    patched_versions: patched,
    url: advisory.url ?? '',
    references: advisory.url ?? '',
    github_advisory_id: /GHSA(-[0-9a-z]{4}){3}/.exec(advisory.url ?? '')?.[0] ?? '',
    cves: [],
    cwe: advisory.cwe ?? [],
    cvss: advisory.cvss,
    overview: advisory.title ?? '',
    recommendation: patched === NONE ? 'None' : `Upgrade to version ${patched}`,
    access: 'public',
    deleted: null,
    metadata: null,
  };
}

function actionOf(name: string, { id }: Advisory, found: readonly Place[]): object {
  const resolves = found.map((place) => {
    const { dev, optional, bundled } = place;
    return { id, path: pathOf(place), dev, optional, bundled };
  });
  return { action: 'review', module: name, resolves };
}

const pathOf = ({ path }: Place) => path.join('>');

/** "None is" in npm's words. */
const NONE = '<0.0.0';

/** Versions behind the highest that an advisory names: `>=1.2.6` for `<0.2.4 || >=1.0.0 <1.2.6`. */
export function patchedVersions(vulnerable: string): string {
  const last = vulnerable.split('||').at(-1)!;
  const [, bound, version] = /(<=?)\s*v?(\d+(?:\.\d+){0,2}[0-9A-Za-z.+-]*)\s*$/.exec(last) ?? [];
  if (version === undefined) return NONE;
  return bound === '<' ? `>=${version}` : `>${version}`;
}

function countsOf({ places }: AuditTree): object {
  const kinds = new Map<string, { dev: boolean; optional: boolean }>();
  for (const { name, version, dev, optional } of places) {
    const known = kinds.get(`${name}@${version}`) ?? { dev: true, optional: true };
    kinds.set(`${name}@${version}`, { dev: known.dev && dev, optional: known.optional && optional });
  }
  const all = [...kinds.values()];
  const devDependencies = all.filter(({ dev }) => dev).length;
  const optionalDependencies = all.filter(({ dev, optional }) => optional && !dev).length;
  const dependencies = all.length - devDependencies - optionalDependencies;
  return { dependencies, devDependencies, optionalDependencies, totalDependencies: all.length };
}

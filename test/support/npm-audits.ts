import semver from 'semver';
import type { NpmOrigin } from './npm-origin.ts';

/** One advisory, as the registry's bulk endpoint says it. */
export interface PlayedAdvisory {
  id: number;
  url: string;
  title: string;
  severity: 'info' | 'low' | 'moderate' | 'high' | 'critical';
  vulnerable_versions: string;
  cwe: string[];
  cvss: { score: number; vectorString: string | null };
}

/** An advisory about versions, with the rest made up. */
export function advisory(id: number, vulnerable_versions: string, more: Partial<PlayedAdvisory> = {}): PlayedAdvisory {
  return {
    id,
    url: `https://github.com/advisories/GHSA-test-0000-${String(id).padStart(4, '0')}`,
    title: `Advisory ${id}`,
    severity: 'high',
    vulnerable_versions,
    cwe: ['CWE-1321'],
    cvss: { score: 7.2, vectorString: null },
    ...more,
  };
}

/** Where an origin takes audits. */
export const BULK = '/-/npm/v1/security/advisories/bulk';

/** Gives an origin an audit: it tells of each package the advisories that are about one of the versions it is asked about. */
export function playAudit(origin: NpmOrigin, advisories: Record<string, PlayedAdvisory[]>): void {
  origin.server.set(BULK, {
    body: '',
    type: 'application/json',
    answer({ body }) {
      const asked = JSON.parse(body.toString()) as Record<string, string[]>;
      const found = Object.entries(asked).map(([name, versions]) => {
        const about = (advisories[name] ?? []).filter((one) =>
          versions.some((version) => semver.satisfies(version, one.vulnerable_versions, { includePrerelease: true })),
        );
        return [name, about] as const;
      });
      return JSON.stringify(Object.fromEntries(found.filter(([, about]) => about.length > 0)));
    },
  });
}

/** What it was asked about so far. */
export function auditsOf(origin: NpmOrigin): Record<string, string[]>[] {
  return origin.server.calls(BULK).map(({ body }) => JSON.parse(body.toString()) as Record<string, string[]>);
}

import semver from 'semver';

/**
 * Tags of what is offered: those that point at something else are gone, and `latest`, which installers need, is the
 * highest version that is neither a pre-release nor deprecated; where there is none such, the highest.
 * @param versions that are offered
 */
export function repairedTags(
  tags: Readonly<Record<string, string>>,
  versions: ReadonlyMap<string, unknown>,
  isDeprecated: (version: string) => boolean,
): Record<string, string> {
  const repaired = Object.fromEntries(Object.entries(tags).filter(([, version]) => versions.has(version)));
  if (Object.hasOwn(repaired, 'latest') || versions.size === 0) return repaired;
  const sorted = highestFirst(versions.keys());
  const settled = sorted.find(({ text, parsed }) => parsed?.prerelease.length === 0 && !isDeprecated(text));
  return { ...repaired, latest: (settled ?? sorted[0]!).text };
}

interface Read {
  text: string;
  parsed: semver.SemVer | null;
}

/** Old versions may be none by today's rules; they stand last. */
function highestFirst(versions: Iterable<string>): Read[] {
  const read = [...versions].map((text) => ({ text, parsed: semver.parse(text, { loose: true }) }));
  return read.sort((one, other) => {
    if (!one.parsed || !other.parsed) return Number(!one.parsed) - Number(!other.parsed);
    return semver.rcompare(one.parsed, other.parsed);
  });
}

import type { Summary } from './keys.ts';

/** Characters of a text, and texts of a list, that a search shows. */
const MOST_TEXT = 2_000;
const MOST_LABELS = 100;

/** What searches know of a model or a resource, by the value of its `model` or `recipe`. */
export function summaryOf(of: object): Summary {
  const said = of as Record<string, unknown>;
  const text = (name: string) => {
    const value = said[name];
    return typeof value === 'string' && value !== '' ? value.slice(0, MOST_TEXT) : undefined;
  };
  const size = said.latestVersionSizeInBytes;
  return {
    displayName: text('displayName') ?? text('name') ?? '',
    description: text('shortDescription') ?? '',
    latestVersion: text('latestVersionIdStr'),
    latestSize: typeof size === 'number' && size >= 0 ? size : undefined,
    createdDate: text('createdDate') ?? '',
    updatedDate: text('updatedDate') ?? '',
    labels: labelsOf(said.labels),
    publisher: text('publisher'),
    application: text('application'),
    framework: text('framework'),
    modelFormat: text('modelFormat'),
    precision: text('precision'),
    isPublic: said.isPublic === true,
  };
}

/** Texts, or objects that hold texts: NGC has given both. */
function labelsOf(labels: unknown): string[] {
  if (!Array.isArray(labels)) return [];
  const texts = labels.flatMap((label: unknown) => {
    if (typeof label === 'string') return [label];
    const values = (label as { values?: unknown; value?: unknown } | null)?.values ?? [];
    return Array.isArray(values) ? values : [];
  });
  return texts.filter((one): one is string => typeof one === 'string').slice(0, MOST_LABELS);
}

/** Reads what `summaryOf` made, in the header of an entry that may have come in a bundle; undefined for anything else. */
export function parseSummary(header: string | undefined): Summary | undefined {
  try {
    const { description, latestVersion, latestSize, ...others } = JSON.parse(header ?? 'null') as Summary;
    return summaryOf({
      ...others,
      shortDescription: description,
      latestVersionIdStr: latestVersion,
      latestVersionSizeInBytes: latestSize,
    });
  } catch {
    return undefined;
  }
}

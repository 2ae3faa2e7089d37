import { WORDS } from './keys.ts';
import type { Listed } from './listed.ts';

/** A line of a search's answer; its fields are those of NGC (reference §2.4). */
export type Found = Record<string, unknown>;

/** Keys of `labels` and `attributes` become fields of a model in the SDK; `format` is `modelFormat` there. */
function labelsOf({ labels, publisher }: Listed) {
  return keyed({ publisher: publisher ? [publisher] : [], general: labels }, (key, values) =>
    values.length === 0 ? undefined : { key, values },
  );
}

function attributesOf({ latestVersion, latestSize, application, framework, modelFormat, precision }: Listed) {
  const values = {
    latestVersionIdStr: latestVersion,
    latestVersionSizeInBytes: latestSize === undefined ? undefined : String(latestSize),
    application,
    framework,
    format: modelFormat,
    precision,
  };
  return keyed(values, (key, value) => (value === undefined ? undefined : { key, value }));
}

function keyed<V, R>(values: Record<string, V>, make: (key: string, value: V) => R | undefined): R[] {
  return Object.entries(values).flatMap(([key, value]) => make(key, value) ?? []);
}

/** What is held, as a search tells it. */
export function resultOf(one: Listed): Found {
  const { org, team, name, kind } = one.artifact;
  return {
    resourceId: one.id,
    resourceType: WORDS[kind].type,
    orgName: org,
    ...(team === undefined ? {} : { teamName: team }),
    name,
    displayName: one.displayName,
    description: one.description,
    createdBy: one.publisher ?? org,
    isPublic: one.isPublic,
    guestAccess: one.isPublic,
    dateCreated: one.createdDate,
    dateModified: one.updatedDate,
    msgTimestamp: Date.parse(one.updatedDate) || 0,
    labels: labelsOf(one),
    attributes: attributesOf(one),
    sharedWithOrgs: [],
    sharedWithTeams: [],
  };
}

/** Different lists of fields whose texts are remembered. */
const MOST_LISTS = 16;

/** Lines of answers as JSON, each made once: clients ask for a thousand at a time, and for the same fields. */
export class ResultTexts {
  readonly #lists = new Map<string, WeakMap<Listed, string>>();

  of(one: Listed, fields: readonly string[]): string {
    const name = fields.join('\n');
    let texts = this.#lists.get(name);
    if (!texts) {
      if (this.#lists.size >= MOST_LISTS) this.#lists.clear();
      texts = new WeakMap();
      this.#lists.set(name, texts);
    }
    const known = texts.get(one) ?? JSON.stringify(withFields(resultOf(one), fields));
    texts.set(one, known);
    return known;
  }
}

/** Only these fields, and those without which nobody knows what it is. */
export function withFields(result: Found, fields: readonly string[]): Found {
  if (fields.length === 0) return result;
  const told = new Set(['resourceId', 'resourceType', 'name', 'orgName', 'teamName', 'msgTimestamp', ...fields]);
  return Object.fromEntries(Object.entries(result).filter(([field]) => told.has(field)));
}

/** What a query, a filter or an order calls by a name; undefined for names that nobody knows. */
export function valuesOf(one: Listed, field: string): string[] | undefined {
  const read = FIELDS[field];
  if (!read) return undefined;
  const value = read(one);
  return (Array.isArray(value) ? value : [value]).filter((each) => each !== undefined).map(String);
}

type Value = string | number | boolean | undefined;

const FIELDS: Record<string, ((one: Listed) => Value | Value[]) | undefined> = Object.assign(Object.create(null), {
  resourceId: (one) => one.id,
  resourceType: (one) => WORDS[one.artifact.kind].type,
  orgName: (one) => one.artifact.org,
  teamName: (one) => one.artifact.team,
  name: (one) => one.artifact.name,
  displayName: (one) => one.displayName,
  description: (one) => one.description,
  createdBy: (one) => one.publisher ?? one.artifact.org,
  dateCreated: (one) => one.createdDate,
  dateModified: (one) => one.updatedDate,
  isPublic: (one) => one.isPublic,
  guestAccess: (one) => one.isPublic,
  labels: (one) => [...one.labels, one.publisher],
  publisher: (one) => one.publisher,
  application: (one) => one.application,
  framework: (one) => one.framework,
  format: (one) => one.modelFormat,
  modelFormat: (one) => one.modelFormat,
  precision: (one) => one.precision,
  latestVersionIdStr: (one) => one.latestVersion,
  latestVersionSizeInBytes: (one) => one.latestSize,
} satisfies Record<string, (one: Listed) => Value | Value[]>);

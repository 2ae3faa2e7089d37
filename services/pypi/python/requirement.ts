import { evaluateMarker, type Marker, type MarkerEnvironment, parseMarker } from './markers.ts';
import { parseSpecifiers, type SpecifierSet } from './specifiers.ts';

/** A requirement on another distribution (PEP 508). */
export interface Requirement {
  /** Normalised. */
  name: string;
  /** Normalised. */
  extras: string[];
  specifiers: SpecifierSet;
  /** As it was written: `<4,>=2.5`. */
  specifierText: string;
  marker: Marker | undefined;
  /** `name @ https://…` */
  url: string | undefined;
}

const REQUIREMENT =
  /^\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[([^\]]*)\])?\s*(?:@\s*(\S+)|\(([^)]*)\)|([^;@]*))?\s*(?:;(.*))?$/s;

/** Undefined for what is no requirement. */
export function parseRequirement(text: string): Requirement | undefined {
  const match = REQUIREMENT.exec(text);
  if (!match) return undefined;
  const [, name, extras, url, inBrackets, plain, markerText] = match;
  const specifierText = (inBrackets ?? plain ?? '').trim();
  const specifiers = parseSpecifiers(specifierText);
  const marker = markerText?.trim() ? parseMarker(markerText) : undefined;
  if (!specifiers || (markerText?.trim() && !marker)) return undefined;
  const list = (extras ?? '')
    .split(',')
    .map((extra) => normal(extra.trim()))
    .filter((extra) => extra !== '');
  return { name: normal(name!), extras: list, specifiers, specifierText, marker, url };
}

/** True when a requirement counts in an environment. */
export function applies(requirement: Requirement, environment: MarkerEnvironment): boolean {
  return requirement.marker === undefined || evaluateMarker(requirement.marker, environment);
}

function normal(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

import { normalizeName } from '../project-name.ts';
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

const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?';
const HEAD = new RegExp(`^\\s*(${NAME})\\s*(?:\\[\\s*((?:${NAME}\\s*(?:,\\s*${NAME}\\s*)*)?)\\])?\\s*`);
/** "A URL must be followed by whitespace", so that a semicolon may be part of it. */
const FROM_URL = /^@\s*(\S+)\s*(?:\s;(.*))?$/s;
const VERSIONED = /^(?:\(([^()]*)\)|([^;()]*))\s*(?:;(.*))?$/s;

/**
 * Parses a dependency specifier (https://packaging.python.org/en/latest/specifications/dependency-specifiers/).
 * Undefined for what is none.
 */
export function parseRequirement(text: string): Requirement | undefined {
  const head = HEAD.exec(text);
  if (!head) return undefined;
  const rest = text.slice(head[0].length).trimEnd();
  const fromUrl = FROM_URL.exec(rest);
  const versioned = fromUrl ? undefined : VERSIONED.exec(rest);
  if (!fromUrl && !versioned) return undefined;
  const specifierText = (versioned?.[1] ?? versioned?.[2] ?? '').trim();
  const specifiers = parseSpecifiers(specifierText);
  const markerText = fromUrl ? fromUrl[2] : versioned?.[3];
  const marker = markerText === undefined ? undefined : parseMarker(markerText);
  if (!specifiers || (markerText !== undefined && !marker)) return undefined;
  const extras = (head[2] ?? '').split(',').map((extra) => normalizeName(extra.trim()));
  return {
    name: normalizeName(head[1]!),
    extras: extras.filter((extra) => extra !== ''),
    specifiers,
    specifierText,
    marker,
    url: fromUrl?.[1],
  };
}

/** True when a requirement counts in an environment. */
export function applies(requirement: Requirement, environment: MarkerEnvironment): boolean {
  return requirement.marker === undefined || evaluateMarker(requirement.marker, environment);
}

/** As a person would write it: `requests[socks]<4,>=2.5`. */
export function formatRequirement({ name, extras, specifierText }: Requirement): string {
  return `${name}${extras.length > 0 ? `[${extras.join(',')}]` : ''}${specifierText}`;
}

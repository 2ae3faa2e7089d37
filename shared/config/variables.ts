import { parse } from 'yaml';
import { z } from 'zod';

/** A setting that a variable can override. */
export interface Setting {
  /** `['pypi', 'port']` */
  path: string[];
  /** `LARDER_PYPI_PORT` */
  variable: string;
  schema: z.ZodType;
}

/** Every key of a schema with its variable: `upstream.idleSeconds` is `LARDER_UPSTREAM_IDLE_SECONDS`. */
export function settingsOf(schema: z.ZodType, path: string[] = []): Setting[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([key, value]) => settingsOf(value as z.ZodType, [...path, key]));
  }
  const words = path.map((key) => key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase());
  return [{ path, variable: `LARDER_${words.join('_')}`, schema }];
}

function unwrap(schema: z.ZodType): z.ZodType {
  let inner: z.ZodType = schema;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodNullable
  ) {
    inner = inner.unwrap() as z.ZodType;
  }
  return inner;
}

/** What the text of a variable means to its setting: a text as it stands, a number, a list by commas, JSON. */
export function readVariable(setting: Setting, text: string): unknown {
  const structure = readYaml(text);
  const readings = [
    text,
    structure,
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ];
  const right = readings.find((reading) => setting.schema.safeParse(reading).success);
  if (right !== undefined) return right;
  // what is wrong inside of a list or an object is better told than that it is a text
  return typeof structure === 'object' && structure !== null ? structure : text;
}

function readYaml(text: string): unknown {
  try {
    return parse(text, { logLevel: 'silent' });
  } catch {
    return text;
  }
}

/** The known name that is nearest to a mistyped one, when one is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const distances = known.map((candidate) => ({ candidate, distance: distanceOf(name, candidate) }));
  distances.sort((one, other) => one.distance - other.distance);
  const [best] = distances;
  return best && best.distance <= Math.max(2, Math.floor(name.length / 4)) ? best.candidate : undefined;
}

/** Levenshtein's. */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const swap = row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[other.length]!;
}

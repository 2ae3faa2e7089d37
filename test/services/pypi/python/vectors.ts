import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Bits = string;

/** What `packaging`, the code inside pip, answers; written by `test/fixtures/python/make-vectors.py`. */
export interface Vectors {
  /** Text, its normal form and whether it is a pre-release; the text alone when it is no version. */
  versions: [string, string?, number?][];
  /** Ascending; what stands together is equal. */
  order: string[][];
  /** Text, which of the valid versions are in it, which of them a filter lets through; the text alone when invalid. */
  specifiers: [string, Bits?, Bits?][];
  environments: Record<string, string>[];
  sets: { extras: string[]; dependency_groups: string[] }[];
  /** Text, context, per environment: 1, 0, or e for an error; the text alone when invalid. */
  markers: [string, ('metadata' | 'lock')?, Bits?][];
  /** Text, name, extras, clauses, URL, per environment; the text alone when invalid. */
  requirements: [string, string?, string[]?, string[]?, (string | null)?, (Bits | null)?][];
  /** Name, project, version, build, tags; the name alone when invalid. */
  wheels: [string, string?, string?, [number, string]?, string[]?][];
  /** Python, platform; platforms, then what stands before each of them, then what holds anywhere. */
  targets: [string, string, string[], string[], string[]][];
}

const FILE = join(import.meta.dirname, '../../../fixtures/python/vectors.json');

export const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;

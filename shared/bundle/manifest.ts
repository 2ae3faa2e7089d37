import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { MirrorError } from '../model/errors.ts';
import { bundleIdSchema } from './layout.ts';

export const MANIFEST_FORMAT = 'larder-manifest/1';

/** Patterns among the options of an item: one, or a list of them. */
export const itemPatterns = z.union([
  z
    .string()
    .min(1)
    .transform((one) => [one]),
  z.array(z.string().min(1)).min(1),
]);

const manifestSchema = z.strictObject({
  format: z.literal(MANIFEST_FORMAT),
  name: bundleIdSchema,
  channel: z.string().max(128).optional(),
  defaults: z
    .strictObject({ platforms: z.record(z.string(), z.unknown()).optional(), licenses: z.unknown().optional() })
    .optional(),
  items: z.array(z.record(z.string(), z.unknown())).min(1).max(100_000),
});

/** One item of a manifest: its type is the first key that a service knows; its siblings are options of that type. */
export interface ParsedItem {
  type: string;
  /** What the service's schema made of the whole item (`{ hf: …, revision: … }`). */
  value: unknown;
  /** `items[3]` and its line, for messages. */
  where: string;
}

export interface Manifest {
  name: string;
  channel: string | undefined;
  defaults: Record<string, unknown>;
  items: ParsedItem[];
  /** As its author wrote it. */
  text: string;
}

/**
 * Reads a bundle manifest. Every problem is listed at once, each with its line.
 * @param types schemas of the item types that the services know, each over a whole item
 */
export function parseManifest(text: string, types: ReadonlyMap<string, z.ZodType>, fileName: string): Manifest {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const problems = document.errors.map((error) => error.message.split('\n')[0]!);
  if (problems.length > 0) throw refused(fileName, problems);
  const parsed = manifestSchema.safeParse(document.toJS({ maxAliasCount: 100 }));
  const lineOf = (path: readonly PropertyKey[]) => {
    const node = document.getIn([...path] as string[], true) as { range?: [number, number, number] } | undefined;
    return node?.range ? `line ${lines.linePos(node.range[0]).line}` : 'the manifest';
  };
  if (!parsed.success)
    throw refused(
      fileName,
      parsed.error.issues.map(
        (issue) => `${lineOf(issue.path)}: ${issue.path.join('.') || 'manifest'}: ${issue.message}`,
      ),
    );
  const items: ParsedItem[] = [];
  for (const [index, raw] of parsed.data.items.entries()) {
    const where = `items[${index}] (${lineOf(['items', index])})`;
    const type = Object.keys(raw).find((key) => types.has(key));
    if (!type) {
      problems.push(
        `${where}: none of ${Object.keys(raw).join(', ')} is a known type; known: ${[...types.keys()].join(', ')}`,
      );
      continue;
    }
    const checked = types.get(type)!.safeParse(raw);
    if (checked.success) items.push({ type, value: checked.data, where });
    else
      problems.push(
        ...checked.error.issues.map((issue) => `${where}: ${issue.path.join('.') || type}: ${issue.message}`),
      );
  }
  if (problems.length > 0) throw refused(fileName, problems);
  const { name, channel, defaults } = parsed.data;
  return { name, channel, defaults: defaults?.platforms ?? {}, items, text };
}

function refused(fileName: string, problems: string[]): MirrorError {
  return new MirrorError(
    'bad-request',
    'manifest',
    `${fileName} is not a manifest that can be used:\n  ${problems.join('\n  ')}`,
  );
}

/** A manifest as text, from items: what wants become. */
export function writeManifest(name: string, items: readonly unknown[], comment: string): string {
  const quoted = items.map((item) => `  - ${JSON.stringify(item)}`).join('\n');
  return `# ${comment}\nformat: ${MANIFEST_FORMAT}\nname: ${name}\nitems:\n${quoted}\n`;
}

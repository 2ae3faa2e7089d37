import { readFileSync } from 'node:fs';
import { type Document, LineCounter, parseDocument } from 'yaml';

/** Something wrong with the settings. */
export interface Problem {
  /** Its key, its line, its variable: what a person looks for. */
  where: string;
  /** What is wrong, and what would be right. */
  message: string;
}

/** What a settings file says, and where. */
export interface SettingsFile {
  value: Record<string, unknown>;
  /** Where a key stands, or the nearest one around it: `larder.yaml line 4`. */
  lineOf(path: readonly PropertyKey[]): string | undefined;
  /** What keeps it from being read; `value` is empty then. */
  problems: Problem[];
}

export function noSettingsFile(): SettingsFile {
  return { value: {}, lineOf: () => undefined, problems: [] };
}

export function readSettingsFile(file: string): SettingsFile {
  const broken = (where: string, message: string): SettingsFile => ({
    ...noSettingsFile(),
    problems: [{ where, message }],
  });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return broken(file, `the file cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'error' });
  const lineAt = (offset: number) => `${file} line ${lines.linePos(offset).line}`;
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ pos, message }) => ({
      where: lineAt(pos[0]),
      message: message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''),
    }));
    return { ...noSettingsFile(), problems };
  }
  const value = contentOf(document);
  if (value instanceof Error)
    return broken(file, `${value.message}; a text that begins with "*" or "&" needs quotes around it`);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return broken(file, 'it holds no settings; they are written as keys and values, "mode: connected"');
  return { value: value as Record<string, unknown>, lineOf: lineFinder(document, lineAt), problems: [] };
}

/** An alias without its anchor shows only here: `deny: [*-internal]`. */
function contentOf(document: Document): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    return error as Error;
  }
}

function lineFinder(document: Document, lineAt: (offset: number) => string): SettingsFile['lineOf'] {
  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true) as { range?: number[] } | undefined;
      if (node?.range) return lineAt(node.range[0]!);
    }
    return undefined;
  };
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** This Larder's version, as its package says. */
export function version(): string {
  const text = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

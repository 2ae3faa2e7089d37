import type { Checksum } from './body/checksums.ts';
import { element, type Xml } from './xml.ts';

/** A checksum as documents say it: `<ChecksumCRC32>…</ChecksumCRC32>`, and of what it is. */
export function checksumElements(checksum: Checksum | undefined): Xml[] {
  if (!checksum) return [];
  const { algorithm, type, value } = checksum;
  return [element(`Checksum${algorithm}`, value), element('ChecksumType', type)];
}

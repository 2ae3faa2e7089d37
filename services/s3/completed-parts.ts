import type { Entry } from '../../shared/model/entry.ts';
import { sideBySide } from '../../shared/storage/side-by-side.ts';
import type { Asked } from './asked.ts';
import { ALGORITHMS, type Algorithm, fieldOf, isValue } from './body/checksums.ts';
import { unquoted } from './conditions.ts';
import { S3Error } from './errors.ts';
import { partKey } from './keys.ts';
import { malformed, readXml } from './read-xml.ts';
import { type checksumOf, MOST_PARTS, partsOf } from './uploads.ts';

/** Every part but the last has so many bytes at least (qfacts.html). */
const LEAST_PART = 5 << 20;

/** A part as a client names it. */
export interface NamedPart {
  number: number;
  etag: string;
  checksums: [Algorithm, string][];
}

/** The parts that a completion names, in its order. Throws `MalformedXML`, `InvalidArgument`. */
export function readParts(bytes: Buffer): NamedPart[] {
  const { Part: parts } = readXml(bytes, 'CompleteMultipartUpload');
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > MOST_PARTS) throw malformed();
  return (parts as Record<string, unknown>[]).map(({ PartNumber: number, ETag: etag, ...others }) => {
    if (typeof number !== 'string' || !/^-?\d{1,9}$/.test(number) || typeof etag !== 'string') throw malformed();
    if (Number(number) < 1)
      throw new S3Error('bad-request', 'InvalidArgument', 'PartNumber must be >= 1', {
        extra: { ArgumentName: 'PartNumber', ArgumentValue: number },
      });
    return { number: Number(number), etag, checksums: checksumsIn(others) };
  });
}

function checksumsIn(fields: Record<string, unknown>): [Algorithm, string][] {
  const found = ALGORITHMS.filter((one) => typeof fields[`Checksum${one}`] === 'string').map(
    (one): [Algorithm, string] => [one, fields[`Checksum${one}`] as string],
  );
  const value = found.map(([one, text]) => `${one}:${text};`).join('');
  if (found.length > 1 || found.some(([one, text]) => !isValue(one, text)))
    throw new S3Error('bad-request', 'InvalidArgument', 'Invalid Base64 or multiple checksums present in request', {
      extra: { ArgumentValue: value },
    });
  return found;
}

/** Parts that are looked for side by side. */
const AT_ONCE = 16;

/** What is held of an upload. Parts that another replica took and our lists do not know yet are looked for by name. */
export async function partsNamed(
  asked: Pick<Asked, 'context'>,
  id: string,
  wanted: readonly NamedPart[],
): Promise<Map<number, Entry>> {
  const held = await partsOf(asked, id);
  const others = wanted.filter(({ number, etag }) => unquoted(held.get(number)?.etag ?? '') !== unquoted(etag));
  await sideBySide(others, AT_ONCE, async ({ number }) => {
    const part = await asked.context.catalog.get(partKey(id, number), { fresh: true });
    if (part) held.set(number, part);
    else held.delete(number);
  });
  return held;
}

/** The parts that are held, as named. Throws `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`. */
export function checkedParts(
  wanted: readonly NamedPart[],
  held: ReadonlyMap<number, Entry>,
  wish: ReturnType<typeof checksumOf>,
): Entry[] {
  let before = 0;
  const found = new Map<number, Entry>();
  for (const named of lastOfEach(wanted)) {
    if (named.number <= before)
      throw new S3Error(
        'bad-request',
        'InvalidPartOrder',
        'The list of parts was not in ascending order. Parts must be ordered by part number.',
      );
    before = named.number;
    const part = held.get(named.number);
    if (!part || unquoted(part.etag!) !== unquoted(named.etag)) throw noSuchPart(named);
    checkPartChecksum(named, part, wish);
    found.set(named.number, part);
  }
  const parts = [...found.values()];
  const small = parts.findIndex(({ size }, index) => size < LEAST_PART && index < parts.length - 1);
  if (small >= 0)
    throw new S3Error(
      'bad-request',
      'EntityTooSmall',
      'Your proposed upload is smaller than the minimum allowed size',
      {
        extra: {
          ...{ ProposedSize: parts[small]!.size, MinSizeAllowed: LEAST_PART },
          ...{ PartNumber: [...found.keys()][small]!, ETag: unquoted(parts[small]!.etag!) },
        },
      },
    );
  return parts;
}

/** Who sent a part again before its first answer names it twice: the later one is what they mean. */
function lastOfEach(wanted: readonly NamedPart[]): NamedPart[] {
  return wanted.filter(({ number }, index) => wanted[index + 1]?.number !== number);
}

function noSuchPart({ number, etag }: NamedPart): S3Error {
  return new S3Error(
    'bad-request',
    'InvalidPart',
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    { extra: { PartNumber: number, ETag: unquoted(etag).slice(0, 100) } },
  );
}

function checkPartChecksum(named: NamedPart, part: Entry, { algorithm, type, isSaid }: ReturnType<typeof checksumOf>) {
  const [said] = named.checksums;
  if (said) {
    if (part.headers[fieldOf(said[0])] === said[1]) return;
    if (isSaid && said[0] !== algorithm)
      throw new S3Error(
        'bad-request',
        'BadDigest',
        `The ${said[0].toLowerCase()} you specified for part ${named.number} did not match what we received.`,
      );
    throw noSuchPart(named);
  }
  if (isSaid && type === 'COMPOSITE')
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${named.number} in the request.`,
    );
}

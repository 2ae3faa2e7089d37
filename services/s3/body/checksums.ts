import { startHash } from '../../../shared/model/running-hash.ts';

/** Checksums that clients send beside a body (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html). */
export const ALGORITHMS = [
  'CRC32',
  'CRC32C',
  'CRC64NVME',
  'MD5',
  'SHA1',
  'SHA256',
  'SHA512',
  'XXHASH128',
  'XXHASH3',
  'XXHASH64',
] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Of all the bytes; or, of an object that came in parts, of its parts' own checksums. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

/** A checksum that is known to be right. */
export interface Checksum {
  algorithm: Algorithm;
  type: ChecksumType;
  /** In Base64, as fields have it; `-<parts>` behind it where it is composite. */
  value: string;
}

const FIELDS = Object.fromEntries(ALGORITHMS.map((one) => [one, `x-amz-checksum-${one.toLowerCase()}`])) as Record<
  Algorithm,
  string
>;

/** The field that carries it: `x-amz-checksum-crc32`. */
export const fieldOf = (algorithm: Algorithm) => FIELDS[algorithm];
const TYPE = 'x-amz-checksum-type';

/** The fields that say it, in answers and among an object's own. */
export const sentChecksum = ({ algorithm, type, value }: Checksum) => ({ [fieldOf(algorithm)]: value, [TYPE]: type });

/** The checksum among an object's fields. */
export function checksumIn(headers: Readonly<Record<string, string>>): Checksum | undefined {
  const algorithm = ALGORITHMS.find((one) => headers[fieldOf(one)] !== undefined);
  if (!algorithm) return undefined;
  const value = headers[fieldOf(algorithm)]!;
  return { algorithm, value, type: (headers[TYPE] as ChecksumType) ?? 'FULL_OBJECT' };
}

export function algorithmOf(name: string): Algorithm | undefined {
  return ALGORITHMS.find((algorithm) => algorithm === name.toUpperCase());
}

/** Bytes of each one's value. */
export const WIDTH: Record<Algorithm, number> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  MD5: 16,
  SHA1: 20,
  SHA256: 32,
  SHA512: 64,
  XXHASH128: 16,
  XXHASH3: 8,
  XXHASH64: 8,
};

/** True for what can be a value of the algorithm. */
export function isValue(algorithm: Algorithm, text: string): boolean {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === WIDTH[algorithm] && bytes.toString('base64') === text;
}

/** A checksum under way. */
export interface RunningChecksum {
  update(bytes: Buffer): void;
  /** In Base64. */
  digest(): string;
}

export async function startChecksum(algorithm: Algorithm): Promise<RunningChecksum> {
  const hash = await startHash({ algorithm: algorithm.toLowerCase() });
  return { update: (bytes) => hash.update(bytes), digest: () => hash.digest().toString('base64') };
}

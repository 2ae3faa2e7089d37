import { createHash } from 'node:crypto';
import { S3Error } from '../errors.ts';
import { type Algorithm, type Checksum, type ChecksumType, startChecksum } from './checksums.ts';

/** Checksums that can be joined without reading the bytes again: polynomials of bits in reverse, and their widths. */
const POLYNOMIALS: Partial<Record<Algorithm, bigint>> = {
  CRC32: 0xedb88320n,
  CRC32C: 0x82f63b78n,
  CRC64NVME: 0x9a6c9329ac4bc9b5n,
};

/** Those of them, the preferred one first. */
export const JOINABLE = ['CRC64NVME', 'CRC32', 'CRC32C'] as const;

/**
 * What an upload's checksum is, if its client does not say: of the whole for CRC64NVME, of the parts' for all others
 * (checking-object-integrity-upload.html). Throws `InvalidRequest` for a type that the algorithm has not.
 */
export function checksumType(algorithm: Algorithm, said: string | undefined): ChecksumType {
  const type = said?.toUpperCase() ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE');
  if (type !== 'FULL_OBJECT' && type !== 'COMPOSITE')
    throw new S3Error('bad-request', 'InvalidRequest', 'Value for x-amz-checksum-type header is invalid.');
  if (type === 'FULL_OBJECT' ? POLYNOMIALS[algorithm] !== undefined : algorithm !== 'CRC64NVME') return type;
  throw new S3Error(
    'bad-request',
    'InvalidRequest',
    `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
  );
}

/** The checksum of an object from those of its parts, in their order. */
export async function joinChecksums(
  algorithm: Algorithm,
  type: ChecksumType,
  parts: readonly { value: string; size: number }[],
): Promise<Checksum> {
  const value =
    type === 'COMPOSITE' ? await composite(algorithm, parts) : whole(POLYNOMIALS[algorithm]!, algorithm, parts);
  return { algorithm, type, value };
}

async function composite(algorithm: Algorithm, parts: readonly { value: string }[]): Promise<string> {
  const bytes = Buffer.concat(parts.map(({ value }) => Buffer.from(value, 'base64')));
  if (algorithm.startsWith('SHA')) {
    const digest = createHash(algorithm.toLowerCase()).update(bytes).digest('base64');
    return `${digest}-${parts.length}`;
  }
  const checksum = await startChecksum(algorithm);
  checksum.update(bytes);
  return `${checksum.digest()}-${parts.length}`;
}

/**
 * The CRC of two runs of bytes from their own: the first is moved on by as many zero bytes as the second has, which is a
 * multiplication by a power of x modulo the polynomial (zlib's crc32_combine does the same).
 */
function whole(polynomial: bigint, algorithm: Algorithm, parts: readonly { value: string; size: number }[]): string {
  const width = algorithm === 'CRC64NVME' ? 64n : 32n;
  const one = 1n << (width - 1n);
  const times = (left: bigint, right: bigint) => {
    let [product, factor] = [0n, right];
    for (let bit = one; bit > 0n; bit >>= 1n) {
      if (left & bit) product ^= factor;
      factor = factor & 1n ? (factor >> 1n) ^ polynomial : factor >> 1n;
    }
    return product;
  };
  const powerOfX = (bits: bigint) => {
    let [result, base] = [one, one >> 1n];
    for (let left = bits; left > 0n; left >>= 1n) {
      if (left & 1n) result = times(result, base);
      base = times(base, base);
    }
    return result;
  };
  const powers = new Map<number, bigint>();
  let crc = 0n;
  for (const { value, size } of parts) {
    const power = powers.get(size) ?? powerOfX(BigInt(size) * 8n);
    powers.set(size, power);
    crc = times(power, crc) ^ BigInt(`0x${Buffer.from(value, 'base64').toString('hex')}`);
  }
  return Buffer.from(crc.toString(16).padStart(Number(width) / 4, '0'), 'hex').toString('base64');
}

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { createCRC32, createCRC64 } from 'hash-wasm';

/** Checksums that clients send beside a body (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html). */
export const ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface Checksum {
  update(bytes: Buffer): void;
  /** In Base64, as fields have it. */
  digest(): string;
}

/** The field that carries it: `x-amz-checksum-crc32`. */
export const fieldOf = (algorithm: Algorithm) => `x-amz-checksum-${algorithm.toLowerCase()}`;

export function algorithmOf(name: string): Algorithm | undefined {
  return ALGORITHMS.find((algorithm) => algorithm === name.toUpperCase());
}

/** Bytes of each one's value. */
export const WIDTH: Record<Algorithm, number> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32 };

/** Castagnoli's polynomial, and NVMe's, their bits in reverse. */
const CASTAGNOLI = 0x82f63b78;
const NVME = '9a6c9329ac4bc9b5';

export async function startChecksum(algorithm: Algorithm): Promise<Checksum> {
  if (algorithm === 'CRC32') return plainCrc();
  if (algorithm === 'SHA1' || algorithm === 'SHA256') {
    const hash = createHash(algorithm.toLowerCase());
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('base64') };
  }
  const hash = await (algorithm === 'CRC32C' ? createCRC32(CASTAGNOLI) : createCRC64(NVME));
  hash.init();
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => Buffer.from(hash.digest('hex').padStart(WIDTH[algorithm] * 2, '0'), 'hex').toString('base64'),
  };
}

function plainCrc(): Checksum {
  let value = 0;
  return {
    update: (bytes) => {
      value = crc32(bytes, value);
    },
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes.toString('base64');
    },
  };
}

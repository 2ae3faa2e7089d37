import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  createBLAKE3,
  createCRC32,
  createCRC64,
  createXXHash3,
  createXXHash64,
  createXXHash128,
  type IHasher,
} from 'hash-wasm';

/** A hash that is wanted of a stream, and what it is called among others of the same stream. */
export interface HashWish {
  name: string;
  /** As node:crypto has it (`sha256`, `md5`), or one of `blake3 crc32 crc32c crc64nvme xxhash64 xxhash3 xxhash128`. */
  algorithm: string;
  /** Hashed before the bytes. */
  prefix?: string;
}

/** A hash or checksum under way. */
export interface RunningHash {
  update(bytes: Uint8Array): void;
  digest(): Buffer;
}

/** Castagnoli's polynomial, and NVMe's, their bits in reverse. */
const CASTAGNOLI = 0x82f63b78;
const NVME = '9a6c9329ac4bc9b5';

/** Hashes and checksums that node:crypto has not, and bytes of their values. */
const OTHERS: Record<string, () => RunningHash | Promise<RunningHash>> = {
  blake3: async () => wasm(32, await createBLAKE3()),
  crc32: plainCrc,
  crc32c: async () => wasm(4, await createCRC32(CASTAGNOLI)),
  crc64nvme: async () => wasm(8, await createCRC64(NVME)),
  xxhash64: async () => wasm(8, await createXXHash64()),
  xxhash3: async () => wasm(8, await createXXHash3()),
  xxhash128: async () => wasm(16, await createXXHash128()),
};

export async function startHash({ algorithm, prefix }: Omit<HashWish, 'name'>): Promise<RunningHash> {
  const other = OTHERS[algorithm];
  const hash = other ? await other() : createHash(algorithm);
  if (prefix !== undefined) hash.update(Buffer.from(prefix));
  return hash;
}

function wasm(width: number, hash: IHasher): RunningHash {
  hash.init();
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => Buffer.from(hash.digest('hex').padStart(width * 2, '0'), 'hex'),
  };
}

function plainCrc(): RunningHash {
  let value = 0;
  return {
    update: (bytes) => {
      value = crc32(bytes, value);
    },
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    },
  };
}

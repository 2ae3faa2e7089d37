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
  blake3: pooled(32, () => createBLAKE3()),
  crc32: plainCrc,
  crc32c: pooled(4, () => createCRC32(CASTAGNOLI)),
  crc64nvme: pooled(8, () => createCRC64(NVME)),
  xxhash64: pooled(8, () => createXXHash64()),
  xxhash3: pooled(8, () => createXXHash3()),
  xxhash128: pooled(16, () => createXXHash128()),
};

/** Hashers of one kind that are kept for the next: to make one takes as long as to hash some hundred KiB. */
const MOST_IDLE = 64;

export async function startHash({ algorithm, prefix }: Omit<HashWish, 'name'>): Promise<RunningHash> {
  const other = OTHERS[algorithm];
  const hash = other ? await other() : createHash(algorithm);
  if (prefix !== undefined) hash.update(Buffer.from(prefix));
  return hash;
}

/** Those that were read are used again; one that was given up halfway goes with its owner. */
function pooled(width: number, make: () => Promise<IHasher>): () => RunningHash | Promise<RunningHash> {
  const idle: IHasher[] = [];
  const running = (hash: IHasher): RunningHash => {
    hash.init();
    let found: Buffer | undefined;
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => {
        if (found) return found;
        found = Buffer.from(hash.digest('hex').padStart(width * 2, '0'), 'hex');
        if (idle.length < MOST_IDLE) idle.push(hash);
        return found;
      },
    };
  };
  return () => {
    const ready = idle.pop();
    return ready ? running(ready) : make().then(running);
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

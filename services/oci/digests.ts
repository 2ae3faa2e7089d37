import { createHash } from 'node:crypto';
import type { Promised } from '../../shared/model/digest.ts';
import { OciError } from './errors.ts';

/** What content is named by here (image-spec, descriptor.md#registered-algorithms). */
export type Algorithm = 'sha256' | 'sha512';

const LENGTHS: Record<Algorithm, number> = { sha256: 64, sha512: 128 };
/** "digest ::= algorithm ':' encoded" (image-spec, descriptor.md#digests). */
const GRAMMAR = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/;

/** True for a digest of an algorithm that is known here, in its only spelling. */
export function isDigest(text: string): boolean {
  const [, algorithm, encoded] = GRAMMAR.exec(text) ?? [];
  const length = LENGTHS[algorithm as Algorithm];
  return length !== undefined && encoded!.length === length && /^[0-9a-f]+$/.test(encoded!);
}

/** Throws `DIGEST_INVALID` for what is none. */
export function checkDigest(text: string): string {
  if (isDigest(text)) return text;
  const [, algorithm] = GRAMMAR.exec(text) ?? [];
  const why =
    algorithm !== undefined && !(algorithm in LENGTHS)
      ? `the algorithm "${algorithm}" is not known here; sha256 and sha512 are`
      : 'a digest is sha256: and 64 hex digits, or sha512: and 128';
  throw new OciError('bad-request', 'digest', `"${text.slice(0, 160)}" is no digest: ${why}`, {
    code: 'DIGEST_INVALID',
  });
}

/** Throws `DIGEST_INVALID` for an algorithm that is not known here. */
export function checkAlgorithm(text: string): Algorithm {
  if (text === 'sha256' || text === 'sha512') return text;
  throw new OciError(
    'bad-request',
    'digest',
    `the algorithm "${text.slice(0, 40)}" is not known; sha256 and sha512 are`,
    {
      code: 'DIGEST_INVALID',
    },
  );
}

export function algorithmOf(digest: string): Algorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** The digest of bytes at hand. */
export function digestOfBytes(bytes: Buffer | string, algorithm: Algorithm = 'sha256'): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** What a digest promises of the bytes that it names. */
export function promisedBy(digest: string): Promised {
  const hex = digest.slice(digest.indexOf(':') + 1);
  return algorithmOf(digest) === 'sha512' ? { sha512: hex } : { sha256: hex };
}

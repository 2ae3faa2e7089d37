import type { Request } from 'express';
import type { Address } from './address.ts';
import type { Fields } from './auth/signed-request.ts';
import { isPresignedV2, verifyPresignedV2 } from './auth/sigv2.ts';
import { type Payload, verifyRequest } from './auth/verify.ts';
import { S3Error } from './errors.ts';
import type { KeyRing, Signer } from './key-ring.ts';

export interface Admitted {
  signer: Signer | undefined;
  payload: Payload;
}

/** Finds out who asks, by either version of signatures. Throws in S3's words for one that is wrong. */
export async function admit(ring: KeyRing, req: Request, address: Address, now: number): Promise<Admitted> {
  const headers = fieldsOf(req);
  const { method } = req;
  const { path, resource, query } = address;
  const secretOf = (accessKeyId: string) => ring.secretOf(accessKeyId);
  if (isPresignedV2(query)) {
    const accessKeyId = await verifyPresignedV2({ method, resource, query, headers }, secretOf, now);
    return { signer: await ring.signerOf(accessKeyId), payload: unsignedPayload(headers) };
  }
  const verified = await verifyRequest({ method, path, query, headers }, secretOf, now);
  if (verified) return { signer: await ring.signerOf(verified.accessKeyId), payload: verified.payload };
  if (headers.authorization !== undefined)
    throw new S3Error(
      'bad-request',
      'InvalidRequest',
      'this way of authorization is not known here; sign with AWS4-HMAC-SHA256 (signature version 4)',
    );
  return { signer: undefined, payload: unsignedPayload(headers) };
}

function unsignedPayload(headers: Fields): Payload {
  return headers['x-amz-content-sha256'] === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
    ? { kind: 'chunked', trailers: true }
    : { kind: 'unsigned' };
}

/** By lower-case name; what comes twice is joined, as it is signed. */
function fieldsOf({ rawHeaders }: Request): Fields {
  const fields: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = rawHeaders[index + 1]!;
    fields[name] = fields[name] === undefined ? value : `${fields[name]},${value}`;
  }
  return fields;
}

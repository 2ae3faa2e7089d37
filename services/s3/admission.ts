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
  const headers = joinedFields(req.rawHeaders);
  const { method } = req;
  const { path, resource, query } = address;
  const secretOf = (accessKeyId: string) => ring.secretOf(accessKeyId);
  if (isPresignedV2(query)) {
    const accessKeyId = await verifyPresignedV2({ method, resource, query, headers }, secretOf, now);
    return { signer: await ring.signerOf(accessKeyId), payload: unsignedPayload(headers) };
  }
  const verified = await verifyRequest({ method, path, query, headers }, secretOf, now);
  if (verified) return { signer: await ring.signerOf(verified.accessKeyId), payload: verified.payload };
  if (headers.authorization !== undefined) throw unknownWay(headers.authorization);
  return { signer: undefined, payload: unsignedPayload(headers) };
}

function unknownWay(authorization: string): S3Error {
  const said = { extra: { ArgumentName: 'Authorization', ArgumentValue: authorization.split(' ')[0]!.slice(0, 40) } };
  if (/^AWS /.test(authorization))
    return new S3Error(
      'bad-request',
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    );
  const message = authorization.includes(' ')
    ? 'Unsupported Authorization Type'
    : "Authorization header is invalid -- one and only one ' ' (space) required.";
  return new S3Error('bad-request', 'InvalidArgument', message, said);
}

/** Of a request that is not signed with version 4: there is nothing that signatures of chunks could follow. */
function unsignedPayload(headers: Fields): Payload {
  const said = headers['x-amz-content-sha256'] ?? '';
  if (said === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') return { kind: 'chunked', trailers: true };
  if (/^[0-9a-f]{64}$/i.test(said)) return { kind: 'signed', sha256: said.toLowerCase() };
  if (said === '' || said === 'UNSIGNED-PAYLOAD') return { kind: 'unsigned' };
  throw new S3Error(
    'bad-request',
    'InvalidArgument',
    'chunks with signatures need a request that has one of version 4',
  );
}

/** By lower-case name; what comes twice is joined, as it is signed. */
export function joinedFields(rawHeaders: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = rawHeaders[index + 1]!;
    fields[name] = fields[name] === undefined ? value : `${fields[name]},${value}`;
  }
  return fields;
}

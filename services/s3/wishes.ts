import type { Asked } from './asked.ts';
import { S3Error } from './errors.ts';

/** Of all buckets and objects. */
export const OWNER = 'larder';

/** What is wanted for an object and not to be had here: to keep silent about it would be to promise it. */
export function checkWishes({ req: { headers } }: Pick<Asked, 'req'>): void {
  const said = (name: string) => headers[name] as string | undefined;
  const holds = said('x-amz-object-lock-legal-hold') ?? 'OFF';
  if (said('x-amz-object-lock-mode') || said('x-amz-object-lock-retain-until-date') || holds !== 'OFF')
    throw new S3Error('bad-request', 'InvalidRequest', 'Bucket is missing Object Lock Configuration');
  const encryption = said('x-amz-server-side-encryption') ?? 'AES256';
  const ownKey = said('x-amz-server-side-encryption-customer-algorithm');
  // AES256 is what AWS does of itself and no client can tell apart: it is left to the disk
  if (encryption !== 'AES256' || ownKey !== undefined)
    throw new S3Error(
      'unsupported',
      'NotImplemented',
      'Encryption with keys of clients or of a key service is not implemented here; leave it to the disk of the store.',
      { status: 501 },
    );
}

/**
 * Who says whose bucket is meant is held to it (bucket-owner-condition.html). All are the site's; a key may as well name
 * itself. Throws `AccessDenied`.
 */
export function checkOwner({ req, identity }: Pick<Asked, 'req' | 'identity'>): void {
  for (const name of ['x-amz-expected-bucket-owner', 'x-amz-source-expected-bucket-owner']) {
    const wanted = req.headers[name];
    // the key of a token is its id behind "lrd_"
    const owners = [OWNER, identity?.id, `lrd_${identity?.id}`];
    if (wanted !== undefined && !owners.includes(String(wanted)))
      throw new S3Error('forbidden', 'AccessDenied', `Access Denied: the owner of this bucket is "${OWNER}" (${name})`);
  }
}

import { createHmac, timingSafeEqual } from 'node:crypto';
import { type SigningKey, sign } from '../../../shared/storage/sigv4.ts';
import { notSigned, unknownKey } from '../auth/refusals.ts';
import { scopeOf } from '../auth/signed-request.ts';
import { S3Error } from '../errors.ts';
import type { FormFields } from './read-form.ts';

type SecretOf = (accessKeyId: string) => Promise<string | undefined>;

/**
 * Checks who signed the policy of a form, by version 4 (sigv4-UsingHTTPPOST.html) or 2 (HTTPPOSTForms.html).
 * @returns the access key, undefined for a form without any. Throws `InvalidArgument`, `SignatureDoesNotMatch`.
 */
export async function verifyForm(form: FormFields, secretOf: SecretOf): Promise<string | undefined> {
  const old = form.get('awsaccesskeyid');
  if (old !== undefined) return verifyOld(form, old, secretOf);
  const names = ['policy', 'x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature'];
  if (names.every((name) => !form.has(name))) return undefined;
  const [policy, algorithm, credential, date, signature] = names.map((name) => needed(form, name)) as string[];
  if (algorithm !== 'AWS4-HMAC-SHA256')
    throw badField('X-Amz-Algorithm', algorithm!, 'Only AWS4-HMAC-SHA256 is supported');
  if (!/^\d{8}T\d{6}Z$/.test(date!))
    throw badField('X-Amz-Date', date!, 'X-Amz-Date must be formated via ISO8601 Long format');
  const scope = scopeOf(credential!, (message) => badField('x-amz-credential', credential!, message));
  const secretAccessKey = await secretOf(scope.accessKeyId);
  if (secretAccessKey === undefined) throw unknownKey(scope.accessKeyId);
  const key: SigningKey = { ...scope, secretAccessKey };
  if (!same(sign(policy!, key, scope.date), signature!)) throw notSigned(scope.accessKeyId);
  return scope.accessKeyId;
}

async function verifyOld(form: FormFields, accessKeyId: string, secretOf: SecretOf): Promise<string> {
  const [policy, signature] = [needed(form, 'policy'), needed(form, 'signature')];
  const secret = await secretOf(accessKeyId);
  if (secret === undefined) throw unknownKey(accessKeyId);
  if (!same(createHmac('sha1', secret).update(policy).digest('base64'), signature)) throw notSigned(accessKeyId);
  return accessKeyId;
}

function same(wanted: string, given: string): boolean {
  const [one, other] = [Buffer.from(wanted), Buffer.from(given)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Throws `InvalidArgument` for a field that is not there. */
export function needed(form: FormFields, name: string): string {
  const value = form.get(name);
  if (value !== undefined) return value;
  throw badField(
    name,
    '',
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`,
  );
}

export function badField(name: string, value: string, message: string): S3Error {
  return new S3Error('bad-request', 'InvalidArgument', message, {
    extra: { ArgumentName: name, ArgumentValue: value.slice(0, 200) },
  });
}

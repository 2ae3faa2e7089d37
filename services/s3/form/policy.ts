import { S3Error } from '../errors.ts';
import type { FormFields } from './read-form.ts';

type Condition =
  | { test: 'eq' | 'starts-with'; field: string; value: string; text: string }
  | { test: 'content-length-range'; least: number; most: number };

/** What whoever signed a form allows it to do (HTTPPOSTForms.html, "POST policy"). */
export interface Policy {
  expires: number;
  conditions: Condition[];
}

/** Fields that need no condition. */
const FREE = new Set(['x-amz-signature', 'file', 'policy', 'awsaccesskeyid', 'signature', 'x-amz-algorithm']);
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** Reads the policy of a form. Throws `InvalidPolicyDocument`. */
export function parsePolicy(base64: string): Policy {
  if (base64 === '') throw invalid("Expecting '{' but found End-of-Input");
  const document = parsedJson(base64);
  for (const name of Object.keys(document))
    if (name !== 'expiration' && name !== 'conditions') throw invalid(`Unexpected: ${JSON.stringify(name)}`);
  const { expiration, conditions } = document;
  if (expiration === undefined) throw invalid('Policy missing expiration.');
  if (typeof expiration !== 'string') throw invalid('Invalid JSON.');
  const expires = DATE.test(expiration) ? Date.parse(expiration) : Number.NaN;
  if (Number.isNaN(expires)) throw invalid(`Invalid 'expiration' value: '${expiration.slice(0, 100)}'`);
  if (conditions === undefined) throw invalid('Policy missing conditions.');
  if (!Array.isArray(conditions)) throw invalid("Invalid 'conditions' value: must be a List.");
  return { expires, conditions: conditions.map(conditionOf) };
}

function parsedJson(base64: string): Record<string, unknown> {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== base64.replace(/\s/g, '').replace(/=+$/, ''))
    throw invalid('invalid Base64 encoding.');
  try {
    const document: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof document === 'object' && document !== null && !Array.isArray(document))
      return document as Record<string, unknown>;
  } catch {
    // told below
  }
  throw invalid('Invalid JSON.');
}

function conditionOf(given: unknown): Condition {
  if (Array.isArray(given)) return listCondition(given);
  if (typeof given !== 'object' || given === null) throw invalid('Invalid condition test: must be a List or Object.');
  const pairs = Object.entries(given);
  const [[name, value] = ['', undefined]] = pairs;
  if (pairs.length !== 1)
    throw invalid('Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.');
  if (typeof value !== 'string') throw invalid('Invalid Simple-Condition: value must be a string.');
  // the form that AWS gives it in what it says of one that does not hold
  const text = `["eq", ${JSON.stringify(`$${name}`)}, ${JSON.stringify(value)}]`;
  return { test: 'eq', field: name.toLowerCase(), value, text };
}

function listCondition(given: unknown[]): Condition {
  const [test, first, second] = given;
  if (test === undefined) throw invalid('Invalid Condition: missing operation identifier.');
  // not by String(): an object of theirs may have no text
  const name = typeof test === 'string' ? test.toLowerCase() : '';
  if (name !== 'eq' && name !== 'starts-with' && name !== 'content-length-range')
    throw invalid(
      `Invalid Condition: unknown operation '${typeof test === 'string' ? test.slice(0, 40) : typeof test}'.`,
    );
  if (given.length !== 3) throw invalid(`Invalid ${name}: wrong number of arguments.`);
  if (name === 'content-length-range') {
    const [least, most] = [first, second].map((one) =>
      typeof one === 'number' || (typeof one === 'string' && one !== '') ? Number(one) : Number.NaN,
    ) as [number, number];
    if (!Number.isSafeInteger(least) || !Number.isSafeInteger(most)) throw invalid('Invalid JSON.');
    return { test: name, least, most };
  }
  if (typeof first !== 'string' || typeof second !== 'string') throw invalid('Invalid JSON.');
  const field = first.startsWith('$') ? first.slice(1).toLowerCase() : '';
  return { test: name, field, value: second, text: JSON.stringify(given) };
}

/**
 * Holds a form to its policy: each condition, and a condition for each field. Throws `AccessDenied`.
 * @returns how long its file may be, bytes
 */
export function checkPolicy(policy: Policy, form: FormFields, bucket: string, now: number) {
  if (policy.expires < now) throw denied('Policy expired.');
  const covered = new Set<string>();
  let [least, most] = [0, Number.POSITIVE_INFINITY];
  for (const condition of policy.conditions) {
    if (condition.test === 'content-length-range') {
      [least, most] = [Math.max(least, condition.least), Math.min(most, condition.most)];
      continue;
    }
    const { test, field, value, text } = condition;
    const found = field === 'bucket' ? bucket : form.get(field);
    covered.add(field);
    const holds = test === 'eq' ? found === value : found?.startsWith(value) || (value === '' && field !== '');
    if (!holds) throw denied(`Policy Condition failed: ${text}`);
  }
  for (const name of [...form.keys(), 'bucket'])
    if (!covered.has(name) && !FREE.has(name) && !name.startsWith('x-ignore-'))
      throw denied(`Extra input fields: ${name}`);
  return { least, most };
}

function invalid(message: string): S3Error {
  return new S3Error('bad-request', 'InvalidPolicyDocument', `Invalid Policy: ${message}`);
}

function denied(message: string): S3Error {
  return new S3Error('forbidden', 'AccessDenied', `Invalid according to Policy: ${message}`);
}

import type { Request, Response } from 'express';
import type { Identity } from '../../shared/http/tokens.ts';
import type { DocumentCache } from '../../shared/mirror/document-cache.ts';
import type { Context } from '../../shared/service/service.ts';
import type { Address } from './address.ts';
import { queryValue } from './auth/signed-request.ts';
import type { Payload } from './auth/verify.ts';
import type { S3Config } from './config.ts';
import { S3Error } from './errors.ts';
import type { View, Views } from './views.ts';

/** A request that was let in. */
export interface Asked {
  context: Context<S3Config>;
  req: Request;
  res: Response;
  address: Address;
  bucket: string;
  /** Its objects. */
  view: View;
  views: Views;
  /** Bytes of small objects that were read a moment ago. */
  small: DocumentCache;
  mayRead(bucket: string): boolean;
  /** Throws `AccessDenied` when who asks may not read a bucket that a copy comes from. */
  checkRead(bucket: string): void;
  key: string;
  /** Undefined for who did not sign. */
  identity: Pick<Identity, 'id' | 'name'> | undefined;
  payload: Payload;
}

export const has = (asked: Asked, name: string) => queryValue(asked.address.query, name) !== undefined;
export const param = (asked: Asked, name: string) => queryValue(asked.address.query, name);
export const field = ({ req }: Asked, name: string) => req.headers[name] as string | undefined;

const MOST_NUMBER = 2_147_483_647;

/** A whole number of the query. Throws `InvalidArgument`. */
export function numberIn(asked: Asked, name: string, most: number): number | undefined {
  const text = param(asked, name);
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,10}$/.test(text) || Number(text) > MOST_NUMBER)
    throw new S3Error(
      'bad-request',
      'InvalidArgument',
      /^-?\d{1,10}$/.test(text)
        ? `Argument ${text} must be an integer between 0 and 2147483647`
        : `Provided ${text.slice(0, 100)} not an integer or within integer range`,
      { extra: { ArgumentName: name, ArgumentValue: text.slice(0, 100) } },
    );
  return Math.min(Number(text), most);
}

export function sendXml(asked: Asked, xml: string, status = 200, headers: Record<string, string> = {}): void {
  const { res } = asked;
  const bytes = Buffer.from(xml);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader('content-type', 'application/xml');
  res.setHeader('content-length', bytes.length);
  res.statusCode = status;
  res.end(bytes);
}

export function sendEmpty({ res }: Asked, status: number, headers: Record<string, string> = {}): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  if (status !== 204) res.setHeader('content-length', 0);
  res.statusCode = status;
  res.end();
}

import type { Request, Response } from 'express';
import { sendBytes } from '../../shared/http/send.ts';

/** Sends JSON as it is: nothing under `/v2/` is ever compressed, since clients compare bytes. */
export function sendJson(
  req: Request,
  res: Response,
  value: unknown,
  options: { mediaType?: string; headers?: Record<string, string> } = {},
): Promise<void> {
  const { mediaType = 'application/json', headers } = options;
  const facts = { mediaType, headers: {} };
  return sendBytes(req, res, Buffer.from(JSON.stringify(value)), facts, { headers, cacheControl: 'no-cache' });
}

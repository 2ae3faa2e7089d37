import type { Request, Response } from 'express';
import { CodedBody, sendCoded } from '../../shared/http/coded-body.ts';
import type { Rooms } from './rooms.ts';

/** `/-/package/<name>/dist-tags`: the tags of what is offered, as `npm dist-tag ls` asks for them. */
export async function answerDistTags({ packages }: Rooms, req: Request, res: Response, name: string): Promise<void> {
  const { tags } = await packages.find(name);
  await sendCoded(req, res, new CodedBody(JSON.stringify(tags)), 'application/json', { cacheControl: 'no-cache' });
}

import type { Request, Response } from 'express';
import { type Address, nextLink, pageOf } from './address.ts';
import type { Rooms } from './asked.ts';
import { sendJson } from './documents.ts';
import { pageIn } from './pages.ts';

/** `GET /v2/_catalog`: what is held, mirrored repositories by their full names. */
export async function listRepositories(rooms: Rooms, req: Request, res: Response, address: Address): Promise<void> {
  const { limit, last } = pageOf(address.query);
  const { page, more } = pageIn(await rooms.list.list(), { after: last, limit });
  const link = more && limit ? nextLink(address, '/v2/_catalog', page.at(-1)!, limit) : undefined;
  await sendJson(req, res, { repositories: page }, { headers: link ? { link } : undefined });
}

const USUAL = 25;
const MOST = 100;

/** `GET /v1/search`: what `docker search` and `podman search` ask of a registry; found among what is held. */
export async function searchImages(rooms: Rooms, req: Request, res: Response): Promise<void> {
  const query = new URLSearchParams(req.url.split('?')[1] ?? '');
  const words = (query.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const limit = Math.min(MOST, Math.max(1, Number(query.get('n')) || USUAL));
  const names = (await rooms.list.list()).filter((name) => words.every((word) => name.includes(word)));
  const results = names
    .slice(0, limit)
    .map((name) => ({ name, description: '', star_count: 0, is_official: false, is_automated: false }));
  await sendJson(req, res, {
    num_pages: 1,
    num_results: results.length,
    page: 1,
    page_size: limit,
    query: query.get('q') ?? '',
    results,
  });
}

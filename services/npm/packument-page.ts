import type { Request, Response } from 'express';
import { negotiate } from '../../shared/http/accept.ts';
import { baseUrl } from '../../shared/http/base-url.ts';
import { sendCoded } from '../../shared/http/coded-body.ts';
import { PRIVATE } from './refs.ts';
import { type Form, renderPackument } from './render.ts';
import { RenderedPackument, RenderedPackuments } from './rendered-packuments.ts';
import type { Rooms } from './rooms.ts';

const TYPES = { full: 'application/json', abbreviated: 'application/vnd.npm.install-v1+json' };

type Handler = (req: Request, res: Response, name: string) => Promise<void>;

/** `/<name>`: the packument, in the form and the coding that the client likes. */
export function packumentPage(rooms: Rooms): Handler {
  const rendered = new RenderedPackuments(rooms.context.now);
  return async (req, res, name) => {
    const form = formOf(req.headers.accept);
    const base = baseUrl(req, rooms.context.publicUrl);
    const key = `${form} ${name} ${base}`;
    const generation = rooms.context.catalog.generation();
    const page = rendered.trusted(key, generation) ?? (await render(rooms, rendered, { key, name, form, base }));
    const { packumentSeconds } = rooms.context.config;
    const isLasting = packumentSeconds > 0 && !page.isPrivate;
    await sendCoded(req, res, page, TYPES[form], {
      // who publishes wants to see it
      cacheControl: isLasting ? `public, max-age=${packumentSeconds}` : 'no-cache',
      vary: 'Accept, Accept-Encoding',
    });
  };
}

/** Whoever likes neither is given all there is, as registries do. */
function formOf(accept: string | undefined): Form {
  return negotiate(accept, [TYPES.full, TYPES.abbreviated]) === TYPES.abbreviated ? 'abbreviated' : 'full';
}

async function render(
  { packages, context }: Rooms,
  rendered: RenderedPackuments,
  { key, name, form, base }: { key: string; name: string; form: Form; base: string },
): Promise<RenderedPackument> {
  const found = await packages.find(name);
  // asked for anew: looking the package up may have kept its packument
  const generation = context.catalog.generation();
  return rendered.current(key, found.stamp, generation, async () => {
    const page = await renderPackument(found, form, base);
    return new RenderedPackument(found.stamp, page, found.origin === PRIVATE);
  });
}

import type { Request, Response } from 'express';
import { negotiate } from '../../shared/http/accept.ts';
import { baseUrl } from '../../shared/http/base-url.ts';
import { CodedBody, sendCoded } from '../../shared/http/coded-body.ts';
import { RenderedDocuments } from '../../shared/http/rendered-documents.ts';
import { PRIVATE } from './refs.ts';
import { type Form, type Rendered, renderPackument } from './render.ts';
import type { Rooms } from './rooms.ts';

/** Bytes of rendered packuments that are kept in memory. */
const MOST_BYTES = 128 << 20;

const TYPES = { full: 'application/json', abbreviated: 'application/vnd.npm.install-v1+json' };

/** A packument in one form. */
class RenderedPackument extends CodedBody {
  /** Published here, and may be another at any moment. */
  readonly isPrivate: boolean;

  constructor({ bytes, sha256 }: Rendered, isPrivate: boolean) {
    super(bytes, sha256);
    this.isPrivate = isPrivate;
  }
}

type Handler = (req: Request, res: Response, name: string) => Promise<void>;

/** `/<name>`: the packument, in the form and the coding that the client likes. */
export function packumentPage(rooms: Rooms): Handler {
  const rendered = new RenderedDocuments<RenderedPackument>(rooms.context.now, MOST_BYTES);
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
  rendered: RenderedDocuments<RenderedPackument>,
  { key, name, form, base }: { key: string; name: string; form: Form; base: string },
): Promise<RenderedPackument> {
  const found = await packages.find(name);
  // asked for anew: looking the package up may have kept its packument
  const generation = context.catalog.generation();
  return rendered.current(key, found.stamp, generation, async () => {
    const page = await renderPackument(found, form, base);
    return new RenderedPackument(page, found.origin === PRIVATE);
  });
}

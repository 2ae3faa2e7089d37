import { Router } from 'express';
import { z } from 'zod';
import { send } from '../../shared/http/send.ts';
import type { Kind } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import type { Service } from '../../shared/service/service.ts';

const STATUS = {
  'bad-request': 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  'not-acceptable': 406,
  conflict: 409,
  'too-large': 413,
  unsupported: 415,
  range: 416,
  'not-held': 404,
  'upstream-failed': 502,
  'upstream-denied': 403,
  corrupt: 502,
  'out-of-space': 507,
  unavailable: 503,
  internal: 500,
} satisfies Record<Kind, number>;

interface NotesConfig {
  url: string;
}

function noteRef({ url }: NotesConfig, name: string): Ref {
  return {
    key: `note/${name}`,
    subject: 'note',
    label: name,
    source: `${url}/notes/${encodeURIComponent(name)}`,
    origin: 'notes',
    freshness: { fresh: 60, stale: 3600 },
    want: { note: name },
  };
}

/** A protocol of one page: `GET /notes/<name>`. A whole mirror in one file, with nothing of `shared/` changed for it. */
export const notes: Service<NotesConfig> = {
  name: 'notes',
  defaultPort: 8099,
  configSchema: z.strictObject({ url: z.string().default('http://127.0.0.1:9') }),
  upstream: ({ url }, origins) => origins([{ name: 'notes', hosts: (host) => host === new URL(url).host }]),
  routes({ access, config, mirror }) {
    const router = Router();
    router.get('/notes/:name', access.require('read', 'notes'), async (req, res) => {
      await send(req, res, await mirror.open(noteRef(config, String(req.params.name))));
    });
    router.put('/notes/:name', access.require('write', 'notes'), (_req, res) => void res.status(201).end());
    router.get('/broken', () => {
      throw new Error('a secret path /etc/shadow');
    });
    return router;
  },
  renderError: ({ kind, message }) => ({
    status: STATUS[kind],
    headers: { 'x-note-error': kind },
    body: { note: kind === 'internal' ? 'this failed here' : message },
  }),
  clientHint: (url) => `curl ${url}/notes/<name>`,
};

import { createHash } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { sendJson } from './answers.ts';
import { HubError } from './errors.ts';

/** What clients ask at their start or in passing, and need an answer to that they can go on with. */
export function stubs(): Router {
  const router = Router({ caseSensitive: true, strict: false });
  router.get('/api/whoami-v2', whoAmI);
  // asked by every process, and by each of them again until it is answered (huggingface_hub from 1.2x)
  router.get('/api/agent-harnesses', (req, res) => sendJson(req, res, { standardEnvVars: [], harnesses: {} }));
  router.all(['/api/telemetry', '/api/telemetry/*topic'], (_req, res) => void res.status(204).end());
  router.post('/api/validate-yaml', (req, res) => sendJson(req, res, { errors: [], warnings: [] }));
  router.get(['/api/models-tags-by-type', '/api/datasets-tags-by-type'], (req, res) => sendJson(req, res, {}));
  for (const list of ['collections', 'daily_papers', 'papers', 'organizations', 'blog', 'posts', 'trending'])
    router.get([`/api/${list}`, `/api/${list}/*rest`], (req, res) => sendJson(req, res, []));
  return router;
}

/** `hf auth login` and `whoami`: the token's name, and what it may. */
function whoAmI(req: Request, res: Response): Promise<void> {
  const { identity } = req;
  if (!identity) throw new HubError('unauthorized', 'request', 'Invalid username or password.');
  const role = identity.actions.includes('write') || identity.actions.includes('admin') ? 'write' : 'read';
  return sendJson(req, res, {
    type: 'user',
    id: createHash('sha256').update(identity.id).digest('hex').slice(0, 24),
    name: identity.name,
    fullname: identity.name,
    isPro: false,
    canPay: false,
    emailVerified: false,
    orgs: [],
    auth: {
      type: 'access_token',
      accessToken: { displayName: identity.name, role, createdAt: '1970-01-01T00:00:00.000Z' },
    },
  });
}

import { type RequestHandler, Router } from 'express';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { sendJson } from './answers.ts';
import { isName } from './artifact.ts';
import type { NgcConfig } from './config.ts';
import type { HeldIndex } from './listed.ts';
import { OriginQuestions } from './origin-questions.ts';

export const SUCCESS = { requestStatus: { statusCode: 'SUCCESS' } };

/** The org whose catalog is open to all: the SDK takes no key for another org than the one it is told here. */
const PUBLIC_ORG = 'nvidia';

/** Orgs, and the teams in them: those of which something is held, and those that the catalog tells the mirror's key of. */
export function orgsAndTeams(context: Context<NgcConfig>, held: HeldIndex, read: RequestHandler): Router {
  const questions = new OriginQuestions(context);
  const router = Router({ caseSensitive: true, strict: false });

  async function orgs(): Promise<string[]> {
    return merged([await ownOrg(context, held)], await held.orgs(), await namesAt('/v2/orgs', 'organizations'));
  }

  /** Nothing when nobody can be asked, or a guest would be. */
  async function namesAt(path: string, list: string): Promise<string[]> {
    if (!questions.isKeyed) return [];
    const answer = await questions.ask(`${path}?page-size=1000`, 'the orgs and teams of the key');
    const found = answer?.[list];
    return Array.isArray(found) ? found.map((one: { name?: unknown } | null) => String(one?.name ?? '')) : [];
  }

  router.get('/v2/orgs', read, async (req, res) => {
    const found = (await orgs()).map((name) => ({ name, displayName: name }));
    await sendJson(req, res, { ...SUCCESS, organizations: found, paginationInfo: onePage(found) });
  });
  router.get('/v2/orgs/:org', read, async (req, res) => {
    const name = req.params.org as string;
    if (!(await orgs()).includes(name))
      throw new MirrorError('not-found', 'org', `nothing of the org ${shown(name)} is here`);
    await sendJson(req, res, { ...SUCCESS, organizations: { name, displayName: name } });
  });
  router.get(['/v2/org/:org/teams', '/v2/orgs/:org/teams'], read, async (req, res) => {
    const org = req.params.org as string;
    if (!isName(org)) throw new MirrorError('bad-request', 'org', `${shown(org)} is no name of an org`);
    const asked = questions.isPrivate(org) ? [] : await namesAt(`/v2/org/${encodeURIComponent(org)}/teams`, 'teams');
    const { config } = context;
    const own = config.team !== undefined && org === config.org ? [config.team] : [];
    const teams = merged(own, await held.teams(org), asked).map((name) => ({ name, description: '' }));
    await sendJson(req, res, { ...SUCCESS, teams, paginationInfo: onePage(teams) });
  });
  return router;
}

/**
 * What clients that ask for an org are told: the one of the settings. Without it one that does not change from day to day,
 * since clients stop when theirs is another.
 */
export async function ownOrg({ config }: Pick<Context<NgcConfig>, 'config'>, held: HeldIndex): Promise<string> {
  if (config.org !== undefined) return config.org;
  const orgs = await held.orgs();
  return orgs.length === 0 || orgs.includes(PUBLIC_ORG) ? PUBLIC_ORG : orgs[0]!;
}

function merged(...lists: string[][]): string[] {
  return [...new Set(lists.flat().filter(isName))];
}

function onePage({ length }: readonly unknown[]) {
  return { index: 0, size: Math.max(1000, length), totalPages: 1, totalResults: length };
}

const shown = (name: string) => `"${name.slice(0, 100)}"`;

import { createHash } from 'node:crypto';
import { type Response, Router } from 'express';
import { sendBytes } from '../../shared/http/send.ts';
import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { sideBySide } from '../../shared/storage/side-by-side.ts';
import { type Advisories, BULK, HeldAdvisories, isAffected, MOST_ADVISORIES, parseAdvisories } from './advisories.ts';
import { type Installed, installedOf, readAudit } from './audit-question.ts';
import { reportOf } from './audit-report.ts';
import { readTree } from './audit-tree.ts';
import { type Asked, packumentKey } from './refs.ts';
import type { Rooms } from './rooms.ts';

type AuditRooms = Pick<Rooms, 'context' | 'origins' | 'policy' | 'locals' | 'access'>;

/** What was found out about what is installed. */
interface Audited {
  advisories: Advisories;
  /** The answer of the one origin that was asked about all of it, as it came. */
  asItCame?: Buffer;
  /** What is to be said beside it. */
  notice?: string;
}

/**
 * The audits of npm's registry. `advisories/bulk` is what npm 7 and newer, yarn 4, bun and pnpm 11 ask; `audits` and
 * `audits/quick` are what was before, and are answered by the same questions: of a tree only names and versions go
 * upstream. Origins are asked without what is private here; where they cannot be asked, what bundles brought answers.
 */
export function auditRoutes(rooms: AuditRooms): Router {
  const held = new HeldAdvisories(rooms);
  const router = Router({ caseSensitive: true, strict: true });
  const read = rooms.access.require('read');

  // https://github.com/npm/cli/blob/latest/workspaces/arborist/lib/audit-report.js
  router.post('/advisories/bulk', read, async (req, res) => {
    const { advisories, asItCame, notice } = await audit(rooms, held, installedOf(await readAudit(req)));
    await answer(res, asItCame ?? Buffer.from(JSON.stringify(advisories)), notice);
  });
  router.post(['/audits', '/audits/quick'], read, async (req, res) => {
    const tree = readTree(await readAudit(req));
    const { advisories, notice } = await audit(rooms, held, tree.installed);
    await answer(res, Buffer.from(JSON.stringify(reportOf(tree, advisories))), notice);
  });
  return router;
}

async function answer(res: Response, body: Buffer, notice: string | undefined): Promise<void> {
  // npm shows this field to its user
  if (notice) res.setHeader('npm-notice', notice);
  await sendBytes(res.req, res, body, { mediaType: 'application/json', headers: {} });
}

/** Throws `not-held` when nothing is known about any of it: "nothing found" would be taken for "nothing is wrong". */
async function audit(rooms: AuditRooms, held: HeldAdvisories, installed: Installed): Promise<Audited> {
  const { policy, locals } = rooms;
  const local = new Set(await locals.names());
  const names = [...installed.keys()].filter((name) => !local.has(name) && !policy.isPrivate(name));
  const answers = await askOrigins(rooms, names, installed);
  const advisories: Advisories = Object.assign({}, ...answers.map(({ said }) => said.advisories));
  const told = new Set(answers.flatMap((answer) => answer.names));
  const rest = names.filter((name) => !told.has(name));
  if (rest.length === 0) return { advisories, asItCame: answers.length === 1 ? answers[0]!.said.bytes : undefined };

  const found = await sideBySide(rest, 16, async (name) => ({ name, about: await held.about(name) }));
  const days: string[] = [];
  for (const { name, about } of found) {
    if (!about) continue;
    days.push(about.checkedAt.slice(0, 10));
    const versions = [...installed.get(name)!];
    const matching = about.advisories.filter((one) => versions.some((version) => isAffected(version, one)));
    if (matching.length > 0) advisories[name] = matching;
  }
  if (told.size + days.length === 0) throw nothingKnown(names.length);
  return { advisories, notice: noticeOf({ asked: names.length, told: told.size, days: days.sort() }) };
}

/** What origins say now. */
async function askOrigins(rooms: AuditRooms, names: readonly string[], installed: Installed): Promise<Answered[]> {
  const { listing, config } = rooms.context;
  if (listing === 'held' || !config.audit) return [];
  const answers = await sideBySide(await byOrigin(rooms, names), 4, async (group) => {
    const said = await ask(rooms, group, installed);
    return said && { ...group, said };
  });
  return answers.filter((answer) => answer !== undefined);
}

interface Said {
  advisories: Advisories;
  bytes: Buffer;
}

type Answered = Group & { said: Said };

interface Group {
  origin: Asked;
  names: string[];
}

/** Each name goes to the origin that has it, and to no other. What the site does not want goes to none. */
async function byOrigin(rooms: AuditRooms, names: readonly string[]): Promise<Group[]> {
  const groups = new Map<string, Group>();
  await sideBySide(names, 16, async (name) => {
    const origin = await ownerOf(rooms, name);
    if (!origin) return;
    const group = groups.get(origin.name) ?? { origin, names: [] };
    group.names.push(name);
    groups.set(origin.name, group);
  });
  return [...groups.values()];
}

/** Where nobody knows yet who has it, it is the first that would be asked. */
async function ownerOf({ context, origins, policy }: AuditRooms, name: string): Promise<Asked | undefined> {
  try {
    policy.check(name);
  } catch (error) {
    if (isKind(error, 'forbidden')) return undefined;
    throw error;
  }
  const candidates = (await origins.forName(name)).filter((origin) => policy.asks(origin, name));
  if (candidates.length < 2) return candidates[0];
  for (const origin of candidates) if (await context.catalog.get(packumentKey(origin.name, name))) return origin;
  return candidates[0];
}

const USUAL = ['upstream-failed', 'upstream-denied', 'not-held', 'not-found', 'too-large', 'unavailable'] as const;

/** Undefined when it cannot be asked, or has no audit. */
async function ask({ context }: AuditRooms, { origin, names }: Group, installed: Installed): Promise<Said | undefined> {
  const body = JSON.stringify(Object.fromEntries(names.map((name) => [name, [...installed.get(name)!]])));
  try {
    const answered = await context.ask(auditRef(origin, body), { maxBytes: MOST_ADVISORIES });
    const advisories = answered && parseAdvisories(answered.bytes);
    if (advisories) return { advisories, bytes: answered.bytes };
    const why = answered ? 'sent what is no answer of an audit' : 'has no audit';
    context.log.warn({ event: 'audit', origin: origin.name }, `the origin "${origin.name}" ${why}`);
  } catch (error) {
    if (!isKind(error, ...USUAL)) throw error;
    context.log.warn({ event: 'audit', origin: origin.name }, `an audit failed: ${(error as Error).message}`);
  }
  return undefined;
}

/** An audit of these packages, asked for now and kept nowhere. */
function auditRef(origin: Asked, body: string): Ref {
  return {
    key: `audit/${origin.name}/${createHash('sha256').update(body).digest('hex')}`,
    subject: 'audit',
    label: 'an audit',
    source: `${origin.url}${BULK}`,
    origin: origin.name,
    accept: 'application/json',
    posted: { body, mediaType: 'application/json' },
    freshness: { fresh: 0, stale: 0 },
  };
}

function nothingKnown(count: number): MirrorError {
  const message = `no advisories about any of these ${count} packages are held here, and no origin could be asked: nothing can be said of them. A bundle brings advisories with its packages, where its origin has an audit`;
  return new MirrorError('not-held', 'audit', message);
}

/** @param counts `told` by origins; `days` of what is held, `2026-11-20`, the oldest first */
function noticeOf({ asked, told, days }: { asked: number; told: number; days: readonly string[] }): string {
  const [oldest, newest] = [days[0], days.at(-1)];
  const age = oldest === newest ? oldest : `${oldest} to ${newest}`;
  const missing = asked - told - days.length;
  return [
    `${told + days.length} of these ${asked} packages were checked`,
    ...(days.length > 0 ? [`${days.length} of them with advisories of ${age}, which are held here`] : []),
    ...(missing > 0 ? [`nothing is known of the other ${missing}`] : []),
  ].join('; ');
}

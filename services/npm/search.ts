import type { RequestHandler } from 'express';
import { sendBytes } from '../../shared/http/send.ts';
import { isKind } from '../../shared/model/errors.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { sideBySide } from '../../shared/storage/side-by-side.ts';
import { HeldPackages, type Listed } from './held-packages.ts';
import type { Asked } from './refs.ts';
import type { Rooms } from './rooms.ts';
import { namesIn, relevance, type Wish, wishOf } from './search-query.ts';
import { type Found, lineOf, packageOf, type SearchAnswer } from './search-result.ts';

const MOST_ANSWER = 16 << 20;
const USUAL = ['upstream-failed', 'upstream-denied', 'not-held', 'not-found', 'too-large', 'unavailable'] as const;

type SearchRooms = Omit<Rooms, 'access'>;

type Page = Pick<SearchAnswer, 'objects' | 'total'>;

/**
 * `/-/v1/search`: what was published here first, then what the origins find at this moment; what is held, where none of
 * them can be asked. A text that names what is private here goes to nobody.
 */
export function searchHandler(rooms: SearchRooms): RequestHandler {
  const packages = new HeldPackages(rooms);
  return async (req, res) => {
    const wish = wishOf(req.query);
    const list = await packages.list();
    const local = matching(list, wish, true, rooms);
    const page = local.slice(wish.from, wish.from + wish.size);
    const asked = await askOrigins(rooms, wish, local.length, page.length);
    const answer = asked
      ? { objects: [...page, ...asked.objects].slice(0, wish.size), total: local.length + asked.total }
      : await heldAnswer(rooms, [...local, ...matching(list, wish, false, rooms)], wish);
    const body = { ...answer, time: new Date(rooms.context.now()).toUTCString() } satisfies SearchAnswer;
    const facts = { mediaType: 'application/json', headers: {} };
    await sendBytes(req, res, Buffer.from(JSON.stringify(body)), facts, { cacheControl: 'no-cache' });
  };
}

async function heldAnswer(rooms: SearchRooms, lines: Found[], { from, size }: Wish): Promise<Page> {
  const page = lines.slice(from, from + size);
  if (rooms.context.listing === 'all') return { objects: page, total: lines.length };
  const objects = (await sideBySide(page, 8, (line) => asOffered(rooms, line))).filter((line) => line !== undefined);
  return { objects, total: lines.length - page.length + objects.length };
}

/** The line with the version that installers are told is the latest; undefined when they are offered none. */
async function asOffered({ packages }: SearchRooms, line: Found): Promise<Found | undefined> {
  try {
    const found = await packages.find(line.package.name);
    const { latest } = found.tags;
    const manifest = latest === undefined ? undefined : found.manifest(latest);
    if (!manifest || latest === line.package.version) return line;
    return { ...line, package: { ...packageOf(manifest, found.text.times[latest!] ?? line.package.date) } };
  } catch (error) {
    if (isKind(error, 'not-found', 'not-held', 'forbidden')) return undefined;
    throw error;
  }
}

/** Lines for what answers the search, the best first. */
function matching(list: readonly Listed[], wish: Wish, local: boolean, rooms: SearchRooms): Found[] {
  return list
    .filter((one) => one.local === local && isWanted(rooms, one.found.name))
    .map((one) => ({ found: one.found, score: relevance(one.searchable, wish) }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score)
    .map(({ found, score }) => lineOf(found, score));
}

/** False for what the site does not want. */
function isWanted({ policy }: SearchRooms, name: string): boolean {
  try {
    policy.check(name);
    return true;
  } catch (error) {
    if (isKind(error, 'forbidden')) return false;
    throw error;
  }
}

/**
 * What the origins find, each asked for what those before it left of the page. Undefined when none of them answers.
 * @param local results from here, which stand before theirs
 * @param taken how many of the page those take
 */
async function askOrigins(rooms: SearchRooms, wish: Wish, local: number, taken: number): Promise<Page | undefined> {
  const { context, origins } = rooms;
  if (context.listing === 'held' || wish.text === '') return undefined;
  const own = new Set(await rooms.locals.names());
  if (namesIn(wish).some((name) => own.has(name) || isPrivate(rooms, name))) return undefined;
  const found = new Map<string, Found>();
  let [skip, left, total, answered] = [Math.max(0, wish.from - local), wish.size - taken, 0, false];
  for (const origin of await origins.list()) {
    const said = await ask(rooms, origin, { ...wish, from: skip, size: Math.max(1, left) });
    if (!said) continue;
    answered = true;
    total += said.total;
    for (const one of said.objects) {
      const { name } = one.package;
      if (!own.has(name) && !found.has(name) && (await isOf(rooms, origin, name))) found.set(name, one);
    }
    skip = Math.max(0, skip - said.total);
    left -= said.objects.length;
    if (left <= 0) break;
  }
  return answered ? { objects: [...found.values()], total } : undefined;
}

/** A name or a scope that is never asked for upstream. */
function isPrivate({ policy }: SearchRooms, word: string): boolean {
  return policy.isPrivate(word) || policy.isPrivate(`${word}/any`);
}

/** Nobody could have what is not wanted here, and what another origin is asked for. */
async function isOf(rooms: SearchRooms, origin: Asked, name: string): Promise<boolean> {
  const { policy, origins } = rooms;
  if (!isWanted(rooms, name) || policy.isPrivate(name)) return false;
  return (await origins.forName(name)).some((one) => one.name === origin.name && policy.asks(one, name));
}

/** Undefined when it cannot be asked, or has no search. */
async function ask({ context }: SearchRooms, origin: Asked, wish: Wish): Promise<SearchAnswer | undefined> {
  try {
    const answered = await context.ask(searchRef(origin, wish), { maxBytes: MOST_ANSWER });
    return answered && answerIn(answered.bytes);
  } catch (error) {
    if (!isKind(error, ...USUAL) && !(error instanceof SyntaxError)) throw error;
    context.log.warn({ event: 'search', origin: origin.name }, `a search failed: ${(error as Error).message}`);
    return undefined;
  }
}

function answerIn(bytes: Buffer): SearchAnswer | undefined {
  const { objects, total, time } = JSON.parse(bytes.toString('utf8')) as Partial<SearchAnswer>;
  if (!Array.isArray(objects)) return undefined;
  const usable = objects.filter((one) => typeof one?.package?.name === 'string');
  return { objects: usable, total: Number.isSafeInteger(total) ? total! : usable.length, time: String(time) };
}

/** A search, asked for now and kept nowhere. */
function searchRef(origin: Asked, { text, from, size, weights }: Wish): Ref {
  const query = new URLSearchParams({ text, size: String(size), from: String(from), ...weights });
  return {
    key: `search/${origin.name}/${query}`,
    subject: 'search',
    label: 'a search',
    source: `${origin.url}-/v1/search?${query}`,
    origin: origin.name,
    accept: 'application/json',
    freshness: { fresh: 0, stale: 0 },
  };
}

import semver from 'semver';
import { z } from 'zod';
import { Parsed } from '../../shared/mirror/parsed.ts';
import type { Ref } from '../../shared/model/ref.ts';
import { type Asked, advisoriesKey } from './refs.ts';
import type { Rooms } from './rooms.ts';

/** Where registries are asked for advisories, below their address: names with versions in, advisories by name out. */
export const BULK = '-/npm/v1/security/advisories/bulk';

/** Bytes of an origin's answer. */
export const MOST_ADVISORIES = 32 << 20;

const schema = z.record(
  z.string(),
  z.array(
    z.looseObject({
      id: z.union([z.number(), z.string()]),
      url: z.string().optional(),
      title: z.string().optional(),
      severity: z.string().optional(),
      vulnerable_versions: z.string().optional(),
    }),
  ),
);
/** Advisories by the package that they are about, as the bulk endpoint says them. */
export type Advisories = z.infer<typeof schema>;
export type Advisory = Advisories[string][number];

/** Undefined for what is no answer of an audit. */
export function parseAdvisories(bytes: Buffer): Advisories | undefined {
  try {
    return schema.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/**
 * What an origin's audit says of one package: asked once for all versions that it has, so that a site without a network
 * can tell for any of them. The answer is `{ "<name>": [advisory, …] }`, and `{}` where nothing is known against it.
 * An origin without an audit has no such thing; bundles bring these as `optional`.
 * @param versions all that the origin lists
 */
export function advisoriesRef(origin: Asked, name: string, versions: readonly string[]): Ref {
  return {
    key: advisoriesKey(origin.name, name),
    subject: 'advisories',
    label: `advisories about "${name}"`,
    source: `${origin.url}${BULK}`,
    origin: origin.name,
    accept: 'application/json',
    posted: { body: JSON.stringify({ [name]: versions }), mediaType: 'application/json' },
    freshness: { fresh: 3600, stale: 86_400 },
  };
}

/** True when an advisory is about this version, as npm reads it: pre-releases of bad versions are bad. */
export function isAffected(version: string, { vulnerable_versions: range = '*' }: Advisory): boolean {
  return semver.satisfies(version, range, { includePrerelease: true, loose: true });
}

/** What is held about one package. */
export interface HeldAbout {
  advisories: readonly Advisory[];
  /** When its origin said so, ISO 8601. */
  checkedAt: string;
}

/** The advisories that bundles brought. */
export class HeldAdvisories {
  readonly #rooms: Pick<Rooms, 'context' | 'origins'>;
  readonly #parsed = new Parsed<Advisories | undefined>(16 << 20);

  constructor(rooms: Pick<Rooms, 'context' | 'origins'>) {
    this.#rooms = rooms;
  }

  /** Undefined where nothing is held: then nothing is known, neither good nor bad. */
  async about(name: string): Promise<HeldAbout | undefined> {
    const { context, origins } = this.#rooms;
    for (const origin of await origins.forName(name)) {
      const entry = await context.catalog.get(advisoriesKey(origin.name, name));
      const said =
        entry &&
        (await this.#parsed.get(entry.digest, entry.size, async () =>
          parseAdvisories(await context.blobs.read(entry.digest, MOST_ADVISORIES)),
        ));
      if (said) return { advisories: Object.hasOwn(said, name) ? said[name]! : [], checkedAt: entry.checkedAt };
    }
    return undefined;
  }
}

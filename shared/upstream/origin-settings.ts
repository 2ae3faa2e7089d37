import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MirrorError } from '../model/errors.ts';
import { type Credentials, splitCredentials } from './credentials.ts';
import { patterns } from './name-policy.ts';

const originName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'a name is a letter, then letters, digits and "-"');

/** What settings say of how somebody is asked, and for what; secrets may stand in files, as those of containers come. */
export const askingFields = {
  username: z.string().optional(),
  password: z.string().optional(),
  /** A file that holds it. */
  passwordFile: z.string().optional(),
  /** PEM of authorities that are trusted for it beside the usual ones. */
  caFile: z.string().optional(),
  /** Names that are asked for here; all when empty. `*` stands for any characters. */
  allow: patterns,
  deny: patterns,
};

/** What settings say of one of several origins. */
export const originFields = {
  name: originName.refine((value) => value !== 'private', '"private" is the name of what is published here'),
  url: z.url({ protocol: /^https?$/ }),
  /** Hosts that files may come from beside the origin's own; those its own documents name when unset. */
  fileHosts: z.array(z.string()).optional(),
  ...askingFields,
  token: z.string().optional(),
  tokenFile: z.string().optional(),
};
export type OriginSettings = z.infer<z.ZodObject<typeof originFields>>;

/** Origins in their order, none of them named as another. */
export function originList<T extends z.ZodType<OriginSettings>>(origin: T) {
  const areNamedApart = (origins: OriginSettings[]) => new Set(origins.map(({ name }) => name)).size === origins.length;
  return z.array(origin).refine(areNamedApart, 'two origins have one name').default([]);
}

/** What is known of an origin when it is asked. */
export interface Readied {
  /** With a slash at its end, without credentials. */
  url: string;
  credentials: Credentials | undefined;
  /** PEM of authorities that are trusted for it beside the usual ones. */
  ca: readonly string[];
  /** Hosts of files that its documents named; asked beside its own. */
  learnedHosts: Set<string>;
}

/** An origin, ready to be asked. Throws `unavailable` when a file of its settings cannot be read. */
export function readied<T extends OriginSettings>(settings: T): T & Readied {
  const { url, credentials } = splitCredentials(settings.url);
  const ca = fileOf(settings, 'caFile');
  return {
    ...settings,
    url: url.endsWith('/') ? url : `${url}/`,
    credentials: credentialsIn(settings) ?? credentials,
    ca: ca ? [ca] : [],
    learnedHosts: new Set(),
  };
}

/** The same for an origin that nobody will ask, and that needs no secret. */
export function withoutFiles<T extends OriginSettings>(settings: T): T {
  return { ...settings, tokenFile: undefined, passwordFile: undefined, caFile: undefined };
}

/** Undefined when the settings have none. */
function credentialsIn(settings: OriginSettings): Credentials | undefined {
  const token = settings.token ?? fileOf(settings, 'tokenFile');
  if (token) return { token };
  if (!settings.username) return undefined;
  return { username: settings.username, password: settings.password ?? fileOf(settings, 'passwordFile') ?? '' };
}

/** Origins are readied when somebody asks, and a file may be there later. */
function fileOf(settings: OriginSettings, key: 'tokenFile' | 'passwordFile' | 'caFile'): string | undefined {
  return textIn(settings[key], `${key} of the origin "${settings.name}"`, 'unavailable');
}

/**
 * The text of a file that a setting names; undefined when it names none. Throws, naming the setting and not the file:
 * clients see the message.
 */
export function textIn(
  path: string | undefined,
  setting: string,
  kind: 'bad-request' | 'unavailable' = 'bad-request',
): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new MirrorError(kind, 'settings', `the file that ${setting} names cannot be read`, { cause });
  }
}

import { readFileSync } from 'node:fs';
import { MirrorError } from '../model/errors.ts';
import type { Credentials } from './credentials.ts';

/** What settings say of how an origin is asked; secrets may stand in files, as those of containers come. */
export interface OriginSettings {
  name: string;
  username?: string | undefined;
  password?: string | undefined;
  token?: string | undefined;
  passwordFile?: string | undefined;
  tokenFile?: string | undefined;
  caFile?: string | undefined;
}

/** Undefined when the settings have none. Throws `unavailable` when a file of them cannot be read. */
export function credentialsIn(settings: OriginSettings): Credentials | undefined {
  const token = settings.token ?? textIn(settings, 'tokenFile');
  if (token) return { token };
  if (!settings.username) return undefined;
  return { username: settings.username, password: settings.password ?? textIn(settings, 'passwordFile') ?? '' };
}

/** Throws `unavailable`, naming the setting and not the file: clients see the message. */
export function textIn(settings: OriginSettings, key: 'tokenFile' | 'passwordFile' | 'caFile'): string | undefined {
  const path = settings[key];
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const message = `the file that ${key} of the origin "${settings.name}" names cannot be read`;
    throw new MirrorError('unavailable', 'settings', message, { cause });
  }
}

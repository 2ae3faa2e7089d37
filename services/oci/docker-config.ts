import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Credentials } from '../../shared/upstream/credentials.ts';

const schema = z.object({
  auths: z
    .record(
      z.string(),
      z.object({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
        registrytoken: z.string().optional(),
      }),
    )
    .default({}),
});

/** What the site says to one registry. */
export interface Login {
  credentials?: Credentials;
  /** Exchanged for tokens at the token server (`identitytoken`). */
  refreshToken?: string;
}

/** How Docker Hub is called in there. */
const HUB = 'index.docker.io';

/**
 * Credentials by host, as `docker login` leaves them in `config.json`. What lies in a credential store of the desktop
 * (`credsStore`) is not there to be read. Throws `bad-request`, naming the setting and not the file.
 */
export function readDockerConfig(path: string): Map<string, Login> {
  const found = new Map<string, Login>();
  for (const [address, one] of Object.entries(parsed(path).auths)) {
    const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
    const login = loginIn(one);
    if (login) found.set(host === HUB ? 'docker.io' : host, login);
  }
  return found;
}

function parsed(path: string): z.infer<typeof schema> {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new MirrorError('bad-request', 'settings', 'the file that oci.dockerConfig names is no docker config.json', {
      cause,
    });
  }
}

function loginIn(one: z.infer<typeof schema>['auths'][string]): Login | undefined {
  if (one.identitytoken) return { refreshToken: one.identitytoken };
  if (one.registrytoken) return { credentials: { token: one.registrytoken } };
  const pair = one.auth ? Buffer.from(one.auth, 'base64').toString('utf8') : '';
  const colon = pair.indexOf(':');
  const username = one.username || (colon > 0 ? pair.slice(0, colon) : '');
  const password = one.password || (colon > 0 ? pair.slice(colon + 1) : '');
  return username && password ? { credentials: { username, password } } : undefined;
}

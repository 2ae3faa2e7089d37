import { Agent, type Dispatcher, fetch } from 'undici';

/** What a NIM's environment says, and what the profile that it picked needs. */
export interface NimWish {
  /** `NGC_API_ENDPOINT`, `NGC_AUTH_ENDPOINT`: a host with or without a path, no scheme. */
  api: string;
  auth?: string;
  /** `NGC_API_SCHEME` */
  scheme: 'http' | 'https';
  /** `NGC_API_KEY` */
  key: string;
  ca?: string;
  org: string;
  team?: string;
  model: string;
  version: string;
}

export interface NimFetched {
  orgName: string;
  files: Record<string, string>;
  etags: Record<string, string | null>;
}

/**
 * Asks as a NIM does (reference ngc.md §3, "Wire calls"): who the key is, a token for keys of the older kind, the map of
 * files, and then each file without its key. Nothing is followed and nothing tried twice.
 */
export async function playNim(wish: NimWish): Promise<NimFetched> {
  const dispatcher: Dispatcher = new Agent({ connect: { ca: wish.ca } });
  const [api, auth] = [wish.api, wish.auth ?? wish.api].map((place) => `${wish.scheme}://${place}`);
  const ask = async (url: string, init: { method?: string; headers?: Record<string, string>; body?: string } = {}) => {
    const answer = await fetch(url, { dispatcher, redirect: 'manual', ...init });
    if (answer.status !== 200) throw new Error(`${answer.status} ${new URL(url).pathname}: ${await answer.text()}`);
    return answer;
  };
  try {
    const caller = await ask(`${api}/v3/keys/get-caller-info`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ credentials: wish.key }).toString(),
    });
    const { orgName } = (await caller.json()) as { orgName: string };
    const authorization = `Bearer ${await tokenOf(wish, auth!, ask)}`;
    const scope = wish.team === undefined ? wish.org : `${wish.org}/team/${wish.team}`;
    const map = await ask(`${api}/v2/org/${scope}/models/${wish.model}/${wish.version}/files`, {
      headers: { authorization },
    });
    const { urls, filepath } = (await map.json()) as { urls: string[]; filepath: string[] };
    const fetched: NimFetched = { orgName, files: {}, etags: {} };
    for (const [index, url] of urls.entries()) {
      const answer = await ask(url);
      fetched.files[filepath[index]!] = await answer.text();
      fetched.etags[filepath[index]!] = answer.headers.get('etag');
    }
    return fetched;
  } finally {
    await dispatcher.close();
  }
}

type Ask = (url: string, init?: { headers?: Record<string, string> }) => Promise<{ json(): Promise<unknown> }>;

async function tokenOf({ key, org, team }: NimWish, auth: string, ask: Ask): Promise<string> {
  if (key.startsWith('nvapi-')) return key;
  const scope = team === undefined ? `group/ngc:${org}` : `group/ngc:${org}/${team}`;
  const basic = Buffer.from(`$oauthtoken:${key}`).toString('base64');
  const query = new URLSearchParams({ service: 'ngc', scope });
  const answer = await ask(`${auth}/token?${query}`, { headers: { authorization: `Basic ${basic}` } });
  return ((await answer.json()) as { token: string }).token;
}

/** When the clock of a site stands still. */
export const NOW = Date.parse('2026-11-24T12:00:00Z');

export interface Answer {
  status: number;
  headers: Headers;
  bytes: Buffer;
  text: string;
  /** Undefined for what is not said to be JSON. */
  json: unknown;
}

export type Ask = (path: string, init?: RequestInit) => Promise<Answer>;

/** Asks a service, follows no redirect, and takes bytes as they are. @param url no trailing slash */
export function asking(url: string): Ask {
  return async (path, init) => {
    const headers = { 'accept-encoding': 'identity', ...init?.headers };
    const answer = await fetch(url + path, { redirect: 'manual', ...init, headers });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return {
      status: answer.status,
      headers: answer.headers,
      bytes,
      // a large file is not read as text unless somebody wants it to be
      get text() {
        return bytes.toString('utf8');
      },
      get json(): unknown {
        const isJson = /json/.test(answer.headers.get('content-type') ?? '') && bytes.length > 0;
        return isJson ? JSON.parse(bytes.toString('utf8')) : undefined;
      },
    };
  };
}

/** The JSON of a 200; throws for any other answer. */
export async function jsonOf<T>(ask: Ask, path: string, init?: RequestInit): Promise<T> {
  const answer = await ask(path, init);
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
  return answer.json as T;
}

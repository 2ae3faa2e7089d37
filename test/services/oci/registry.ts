import { type BuiltImage, sha } from '../../support/images.ts';
import { type Answer, type Site, startSite } from './support.ts';

/** A registry to push to, and a client that may. */
export interface Registry {
  site: Site;
  ask(
    method: string,
    path: string,
    options?: { body?: Buffer | string; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** A blob in one request. @returns its digest */
  push(repository: string, bytes: Buffer | string): Promise<string>;
  /** An image with all its blobs. */
  pushImage(repository: string, reference: string, image: BuiltImage): Promise<Answer>;
  close(): Promise<void>;
}

export const OCTETS = { 'content-type': 'application/octet-stream' };

/** One without origins: every name is its own. */
export async function startRegistry(): Promise<Registry> {
  const site = await startSite({}, { config: { registries: [] } });
  const writer = await site.writer();
  const ask: Registry['ask'] = (method, path, { body, headers } = {}) => {
    const sent = body === undefined ? undefined : new Uint8Array(Buffer.from(body));
    return site.ask(path, {
      method,
      body: sent,
      headers: { ...writer, ...(body === undefined ? {} : OCTETS), ...headers },
    });
  };
  const push = async (repository: string, bytes: Buffer | string) => {
    const digest = sha(bytes);
    const answer = await ask('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: bytes });
    if (answer.status !== 201) throw new Error(`${repository}: ${answer.status} ${answer.text}`);
    return digest;
  };
  return {
    site,
    ask,
    push,
    async pushImage(repository, reference, image) {
      for (const bytes of image.blobs.values()) await push(repository, bytes);
      const path = `/v2/${repository}/manifests/${reference}`;
      return ask('PUT', path, { body: image.bytes, headers: { 'content-type': image.mediaType } });
    },
    close: () => site.close(),
  };
}

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { configSchema } from '../../../services/pypi/config.ts';
import { fileRef, pageRef } from '../../../services/pypi/refs.ts';
import { originsFor, service } from '../../../services/pypi/service.ts';
import { httpOrigins } from '../../../shared/upstream/http-upstream.ts';
import type { Upstream } from '../../../shared/upstream/upstream.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let origin: OriginServer;
let upstream: Upstream;

beforeEach(async () => {
  origin = await startOriginServer();
});
afterEach(async () => {
  await upstream.close?.();
  await origin.close();
});

describe('the last lock on the way out', () => {
  test('lets no page, file or fact of a private name be asked for, whoever asks', async () => {
    const config = configSchema.parse({ origins: [{ name: 'a', url: `${origin.url}/simple/` }], private: ['acme-*'] });
    upstream = service.upstream(config, httpOrigins({ userAgent: 'larder/test', now: Date.now }));
    const [index] = await originsFor(config).list();
    origin.set('/simple/other/', { body: '<a href="x">x</a>', type: 'text/html' });
    const record = { filename: 'acme_tool-1.0-py3-none-any.whl', url: `${origin.url}/f.whl`, hashes: {} };
    const refs = [
      pageRef(index!, 'acme-tool', config),
      fileRef('a', 'acme-tool', { ...record, 'core-metadata': false, yanked: false }),
    ];
    for (const ref of refs) {
      await expect(upstream.fetch(ref)).rejects.toMatchObject({ kind: 'forbidden' });
      await expect(upstream.describe(ref)).rejects.toThrow(/private names are never asked for upstream/);
    }
    expect(origin.calls()).toEqual([]);
    expect((await upstream.fetch(pageRef(index!, 'other', config))).outcome).toBe('fresh');
  });
});

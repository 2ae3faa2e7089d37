import { service } from '../../../services/oci/service.ts';
import { Tokens } from '../../../shared/http/tokens.ts';
import type { Service } from '../../../shared/service/service.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { type Answer, Registry } from './registry.ts';

/** What the tests run against: a registry whose origins are one server. */
export interface Site {
  /** With a token that may write. */
  writer: Registry;
  /** With none. */
  anybody: Registry;
  secrets: { writer: string; reader: string };
  origin: OriginServer;
  larder: TestLarder;
  clock: { now: number };
  /** Every answer so far. */
  seen(): readonly Answer[];
  close(): Promise<void>;
}

/** Opens the site that is under test. */
export type Use = () => Site;

export const basic = (secret: string, user = 'ci') => `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;

/** Registries are mirrored under these names; the last one is for what goes wrong. */
const MIRRORED = ['docker.io', 'nvcr.io', 'quay.io'];

export async function startSite(): Promise<Site> {
  const origin = await startOriginServer();
  const clock = { now: Date.parse('2026-11-24T12:00:00Z') };
  const larder = await startLarder({
    services: [service as Service<unknown>],
    config: { oci: { registries: MIRRORED.map((name) => ({ name, url: origin.url })) }, upstream: { retries: 0 } },
    now: () => clock.now,
  });
  const tokens = new Tokens(larder.store.objects, { now: () => clock.now });
  const secretFor = async (name: string, actions: ('read' | 'write')[]) =>
    (await tokens.create({ name, actions, services: ['oci'] })).secret;
  const secrets = { writer: await secretFor('ci', ['read', 'write']), reader: await secretFor('site', ['read']) };
  const anybody = new Registry(larder.url('oci'));
  return {
    writer: anybody.as(basic(secrets.writer)),
    anybody,
    secrets,
    origin,
    larder,
    clock,
    seen: () => anybody.seen,
    async close() {
      await larder.close();
      await origin.close();
    },
  };
}

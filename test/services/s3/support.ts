import { randomUUID } from 'node:crypto';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import { service } from '../../../services/s3/service.ts';
import type { Service } from '../../../shared/service/service.ts';
import { CREDENTIALS } from '../../support/engines.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';

export const NOW = Date.parse('2026-11-24T12:00:00Z');
export const KEY = { accessKeyId: 'tester', secretAccessKey: 'tester-secret' };

/** A Larder that speaks S3, and clients of it. */
export interface Site {
  larder: TestLarder;
  url: string;
  s3: S3Client;
  client(more?: S3ClientConfig): S3Client;
  close(): Promise<void>;
}

/** A store on the engine that the tests run over, when they do (`test/engine/s3-setup.ts`). */
function onEngine(): { store?: string; config?: Record<string, string> } {
  const bucket = inject('engineStore');
  if (bucket === undefined) return {};
  const { accessKeyId: storeAccessKey, secretAccessKey: storeSecretKey } = CREDENTIALS;
  return { store: bucket.replace('/larder?', `/${randomUUID()}?`), config: { storeAccessKey, storeSecretKey } };
}

/** In real time: SDKs sign by their own clocks. */
export async function startSite(config: Record<string, unknown> = {}, store?: string): Promise<Site> {
  const engine = store === undefined ? onEngine() : {};
  const larder = await startLarder({
    mode: 'airgapped',
    store: store ?? engine.store,
    services: [service as Service<unknown>],
    config: { ...engine.config, s3: { keys: [KEY], ...config } },
  });
  const url = larder.url('s3');
  const clients: S3Client[] = [];
  const client = (more: S3ClientConfig = {}) => {
    const made = new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true, credentials: KEY, ...more });
    clients.push(made);
    return made;
  };
  return {
    larder,
    url,
    s3: client(),
    client,
    async close() {
      for (const one of clients) one.destroy();
      await larder.close();
    },
  };
}

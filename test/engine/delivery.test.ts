import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACCESS_KEY, type Engine, SECRET_KEY, startVersitygw } from '../support/engines.ts';
import { startLarder, type TestLarder } from '../support/larder.ts';
import { notes } from '../support/notes-service.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { startSeaweedfs } from '../support/seaweedfs.ts';

const BYTES = randomBytes(30_000_000);
const engines: [name: string, start: () => Promise<Engine>][] = [
  ['versitygw', startVersitygw],
  ['SeaweedFS', startSeaweedfs],
];

describe.each(engines)('blobs on %s', (_name, start) => {
  let engine: Engine;
  let origin: OriginServer;
  const larders: Record<string, TestLarder> = {};

  beforeAll(async () => {
    engine = await start();
    origin = await startOriginServer();
    origin.set('/notes/large', { body: BYTES, type: 'text/x-note', etag: '"1"' });
    const credentials = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY };
    const client = new S3Client({ endpoint: engine.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket: 'site' }));
    client.destroy();
    for (const delivery of ['stream', 'redirect']) {
      const config = {
        store: `s3://site/larder?endpoint=${engine.endpoint}`,
        storeAccessKey: ACCESS_KEY,
        storeSecretKey: SECRET_KEY,
        delivery,
        notes: { url: origin.url },
      };
      const larder = await startLarder({ services: [notes], config });
      larders[delivery] = larder;
      await fetch(`${larder.url('notes')}/notes/large`).then((answer) => answer.arrayBuffer());
      await larder.settled();
    }
  });
  afterAll(async () => {
    for (const larder of Object.values(larders)) await larder.close();
    await origin?.close();
    await engine?.close();
  });

  test.each(['stream', 'redirect'])('come right by %s, whole and in part', async (delivery) => {
    const url = `${larders[delivery]!.url('notes')}/notes/large`;
    const whole = await fetch(url);
    expect([whole.status, whole.redirected]).toEqual([200, delivery === 'redirect']);
    expect(whole.headers.get('content-type')).toBe('text/x-note');
    expect(Buffer.from(await whole.arrayBuffer()).equals(BYTES)).toBe(true);
    const part = await fetch(url, { headers: { range: 'bytes=1000000-19999999' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 1000000-19999999/${BYTES.length}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(BYTES.subarray(1_000_000, 20_000_000))).toBe(true);
  });
});

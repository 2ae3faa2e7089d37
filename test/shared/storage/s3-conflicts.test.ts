import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { S3Store } from '../../../shared/storage/s3-store.ts';

/** An engine that answers puts to `busy` as told, and keeps the conditions of all others. */
let engine: Server;
let refusals: [status: number, code: string][];
let asked: number;
let store: S3Store;

beforeEach(async () => {
  const there = new Set<string>();
  refusals = [];
  asked = 0;
  engine = createServer((req, res) => {
    req.resume();
    const path = req.url!.split('?')[0]!;
    if (path.endsWith('/busy')) {
      asked += 1;
      const [status, code] = refusals.shift() ?? [200, ''];
      res.writeHead(status, { etag: '"1"' }).end(code && `<Error><Code>${code}</Code></Error>`);
      return;
    }
    const refused = req.headers['if-none-match'] === '*' && there.has(path);
    if (req.method === 'PUT') there.add(path);
    res.writeHead(refused ? 412 : 200, { etag: '"1"' }).end();
  }).listen(0, '127.0.0.1');
  await once(engine, 'listening');
  store = await S3Store.open({
    bucket: 'site',
    prefix: '',
    endpoint: `http://127.0.0.1:${(engine.address() as AddressInfo).port}`,
    region: 'us-east-1',
    accessKeyId: 'key',
    secretAccessKey: 'secret',
  });
});

afterEach(async () => {
  await store.close();
  engine.closeAllConnections();
  engine.close();
});

const put = () => store.put('busy', Buffer.from('bytes'), { ifAbsent: true });

describe('a put that something else is in the way of', () => {
  test.each(['OperationAborted', 'ExistingObjectIsDirectory'])('is sent again after %s', async (code) => {
    refusals = [
      [409, code],
      [409, code],
    ];
    expect(await put()).toEqual({ stored: true, etag: '"1"' });
    expect(asked).toBe(3);
  });

  test('fails in words when that does not end', async () => {
    refusals = Array.from({ length: 20 }, () => [409, 'ExistingObjectIsDirectory']);
    await expect(put()).rejects.toThrow(/the engine cannot be used now \(409 ExistingObjectIsDirectory\)/);
    expect(asked).toBe(5);
  });

  test('is told that its condition did not hold at once by 412', async () => {
    refusals = [[412, 'PreconditionFailed']];
    expect(await put()).toEqual({ stored: false });
    expect(asked).toBe(1);
  });

  test('asks again when a race is undecided (409 ConditionalRequestConflict), and then knows', async () => {
    refusals = [
      [409, 'ConditionalRequestConflict'],
      [412, 'PreconditionFailed'],
    ];
    expect(await put()).toEqual({ stored: false });
    expect(asked).toBe(2);
  });
});

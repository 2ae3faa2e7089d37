import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { notes } from '../../support/notes-service.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';

let origin: OriginServer;
let larder: TestLarder;

beforeEach(async () => {
  origin = await startOriginServer();
  origin.set('/notes/one', { body: 'first note', type: 'text/plain' });
});
afterEach(async () => {
  await larder?.close();
  await origin.close();
});

async function start(config: Record<string, unknown> = {}, now?: () => number): Promise<void> {
  larder = await startLarder({ services: [notes], now, config: { ...config, notes: { url: origin.url } } });
}

describe('the second port', () => {
  test('says that the process lives, and that its store can be used', async () => {
    await start();
    for (const path of ['/livez', '/readyz']) {
      const answer = await fetch(larder.adminUrl + path);
      expect([answer.status, await answer.text()]).toEqual([200, 'ok\n']);
    }
  });

  test('says what is wrong with the store, and looks at it once a second at most', async () => {
    let now = 1_000_000;
    await start({}, () => now);
    let looks = 0;
    const { check } = larder.store;
    larder.store.check = async () => {
      looks += 1;
      throw new Error('EIO at /srv/secret');
    };
    const ask = () => fetch(`${larder.adminUrl}/readyz`);
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect(await answers[0]!.text()).toBe('the store cannot be used; the log says why\n');
    expect(looks).toBe(1);
    larder.store.check = check;
    now += 1000;
    expect((await ask()).status).toBe(200);
  });

  test('gives numbers of requests and of the process to Prometheus', async () => {
    await start();
    await fetch(`${larder.url('notes')}/notes/one`).then((answer) => answer.text());
    await larder.settled();
    const answer = await fetch(`${larder.adminUrl}/metrics`);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expect(await answer.text()).toMatch(/larder_http_requests_total\{service="notes",method="GET",status="200"\} 1/);
  });

  test('gives the list of wants', async () => {
    await start({ mode: 'airgapped' });
    await fetch(`${larder.url('notes')}/notes/two`);
    expect(await fetch(`${larder.adminUrl}/wants`).then((answer) => answer.json())).toMatchObject({
      wants: [{ service: 'notes', item: { note: 'two' } }],
      more: false,
    });
  });

  test('knows nothing else, and shows no stack', async () => {
    await start();
    const unknown = await fetch(`${larder.adminUrl}/nowhere`);
    expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining('/readyz')]);
    const broken = await fetch(`${larder.adminUrl}/%zz`);
    expect(await broken.text()).not.toMatch(/\.[tj]s:\d/);
  });

  test('does not answer for services, nor they for it', async () => {
    await start();
    expect((await fetch(`${larder.url('notes')}/metrics`)).status).toBe(404);
    expect((await fetch(`${larder.adminUrl}/notes/one`)).status).toBe(404);
  });
});

describe('on the way out', () => {
  test('running requests finish, new ones find nobody, and watchers are told', async () => {
    origin.set('/notes/slow', { body: Buffer.alloc(60_000, 'x'), pace: 60_000 });
    await start();
    const url = larder.url('notes');
    const running = await fetch(`${url}/notes/slow`);
    const closed = larder.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const ready = await fetch(`${larder.adminUrl}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, 'shutting down\n']);
    await expect(fetch(`${url}/notes/one`)).rejects.toThrow();
    expect((await running.arrayBuffer()).byteLength).toBe(60_000);
    await closed;
    await expect(fetch(`${larder.adminUrl}/livez`)).rejects.toThrow();
  });

  test('a request that takes too long is broken off', async () => {
    origin.set('/notes/endless', { body: Buffer.alloc(1_000_000, 'x'), pace: 50_000 });
    await start({ drainSeconds: 0.3 });
    const running = await fetch(`${larder.url('notes')}/notes/endless`);
    const began = performance.now();
    await Promise.all([larder.close(), expect(running.arrayBuffer()).rejects.toThrow()]);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test('an idle connection keeps nobody waiting', async () => {
    await start();
    const socket = connect(Number(new URL(larder.url('notes')).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    const began = performance.now();
    await Promise.all([larder.close(), once(socket, 'close')]);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test('nor does one that was opened ahead and never asked anything', async () => {
    await start();
    const socket = connect(Number(new URL(larder.url('notes')).port), '127.0.0.1');
    socket.resume();
    await once(socket, 'connect');
    const began = performance.now();
    await Promise.all([larder.close(), once(socket, 'close')]);
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test('being told twice is being told once', async () => {
    await start();
    await Promise.all([larder.close(), larder.close()]);
  });
});

describe('a start that fails', () => {
  test('because a port is taken says which setting to change', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(startLarder({ services: [notes], config: { notes: { port } } })).rejects.toThrow(
      `127.0.0.1:${port} cannot be listened on: another listener has it; set notes.port to a free port (0 takes any)`,
    );
    await expect(startLarder({ services: [notes], config: { admin: { port } } })).rejects.toThrow(/set admin\.port to/);
    other.close();
  });

  test('because this machine has no such address says that listen is wrong', async () => {
    await expect(startLarder({ services: [notes], config: { listen: '192.0.2.77' } })).rejects.toThrow(
      /192\.0\.2\.77:0 cannot be listened on: .*set listen to/,
    );
  });
});

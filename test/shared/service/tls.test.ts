import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { request, Agent as TlsAgent } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Agent, fetch } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { service as oci } from '../../../services/oci/service.ts';
import { service as s3 } from '../../../services/s3/service.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { startLarder, type TestLarder } from '../../support/larder.ts';
import { notes } from '../../support/notes-service.ts';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { runCommand } from '../../support/python-clients.ts';
import { spawnLarder } from '../../support/spawn-larder.ts';
import { type Certificate, makeCertificate } from '../../support/tls.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let first: Certificate;
let second: Certificate;
let origin: OriginServer;
let larder: TestLarder | undefined;
let files: { certFile: string; keyFile: string };

beforeAll(async () => {
  folder = await temporaryFolder();
  const names = 'IP:127.0.0.1,DNS:localhost,DNS:s3.site,DNS:*.s3.site';
  first = await makeCertificate(folder.path, names);
  second = await makeCertificate(folder.path, names);
});
beforeEach(async () => {
  origin = await startOriginServer();
  origin.set('/notes/one', { body: 'first note', type: 'text/plain' });
  files = { certFile: join(folder.path, 'tls.crt'), keyFile: join(folder.path, 'tls.key') };
  await put(first);
});
afterEach(async () => {
  await larder?.close();
  larder = undefined;
  await origin.close();
});
afterAll(() => folder.remove());

async function put({ cert, key }: Certificate): Promise<void> {
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key);
}

async function start(config: Record<string, unknown> = {}, now?: () => number): Promise<TestLarder> {
  const own = { notes: { url: origin.url, tlsPort: 0 } };
  larder = await startLarder({ services: [notes], now, config: { tls: files, ...own, ...config } });
  return larder;
}

/** A client that trusts both certificates. */
function client(): Agent {
  return new Agent({ connect: { ca: [first.cert, second.cert] } });
}

async function hello(url: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(url);
  const socket = tlsConnect({ host: hostname, port: Number(port), ca: [first.cert, second.cert], ...options });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

async function shown(url: string): Promise<string> {
  const socket = await hello(url);
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  const certificate = [first, second].find(({ cert }) => cert.replace(/\s/g, '').includes(raw.toString('base64')));
  return certificate === first ? 'first' : certificate === second ? 'second' : 'another';
}

describe('a service with a tlsPort', () => {
  test('answers the same on both ports', async () => {
    const suite = await start();
    const [plain, secure] = [suite.url('notes'), suite.tlsUrl('notes')];
    expect([plain, secure].map((url) => new URL(url).protocol)).toEqual(['http:', 'https:']);
    const dispatcher = client();
    for (const url of [plain, secure]) {
      const answer = await fetch(`${url}/notes/one`, { dispatcher });
      expect([answer.status, await answer.text()]).toEqual([200, 'first note']);
    }
    await dispatcher.close();
  });

  test('tells clients of itself by https where it was spoken to so', async () => {
    larder = await startLarder({ services: [oci], config: { tls: files, oci: { tlsPort: 0 } } });
    const dispatcher = client();
    for (const url of [larder.url('oci'), larder.tlsUrl('oci')]) {
      const { headers } = await fetch(`${url}/v2/`, { dispatcher });
      expect(headers.get('www-authenticate')).toContain(`realm="${url}/token"`);
    }
    await dispatcher.close();
  });

  test('has nothing older than TLS 1.2', async () => {
    const url = (await start()).tlsUrl('notes');
    const socket = await hello(url, { maxVersion: 'TLSv1.2' });
    expect(socket.getProtocol()).toBe('TLSv1.2');
    socket.destroy();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(hello(url, old)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  });

  test('survives those who speak no TLS', async () => {
    const suite = await start();
    const { hostname, port } = new URL(suite.tlsUrl('notes'));
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('GET /notes/one HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'close');
    expect(await shown(suite.tlsUrl('notes'))).toBe('first');
  });

  test('is told at the start, with a hint that its client can use', async () => {
    const env = { LARDER_TLS_CERT_FILE: files.certFile, LARDER_TLS_KEY_FILE: files.keyFile, LARDER_S3_TLS_PORT: '0' };
    const spawned = await spawnLarder({ store: join(folder.path, 'spawned'), env });
    expect(Object.keys(spawned.tlsUrls)).toEqual(['s3']);
    expect(await shown(spawned.tlsUrls.s3!)).toBe('first');
    expect(await spawned.stop()).toBe(0);
  });
});

describe('a certificate that is replaced', () => {
  test('is shown to who comes next, and connections that are open go on', async () => {
    let now = Date.now();
    const suite = await start({}, () => now);
    const url = suite.tlsUrl('notes');
    const agent = new TlsAgent({ ca: first.cert, keepAlive: true, maxSockets: 1 });
    const ask = async () => {
      const asked = request(`${url}/notes/one`, { agent }).end();
      const [answer] = await once(asked, 'response');
      answer.resume();
      await once(answer, 'end');
      return { status: answer.statusCode as number, again: asked.reusedSocket };
    };
    expect(await ask()).toEqual({ status: 200, again: false });
    await put(second);
    now += 1000;
    expect(await shown(url)).toBe('second');
    expect(await ask()).toEqual({ status: 200, again: true });
    agent.destroy();
    expect(suite.log()).toContainEqual(expect.objectContaining({ event: 'tls-renewed' }));
  });

  test('is not taken until its key is there too', async () => {
    let now = Date.now();
    const suite = await start({}, () => now);
    const url = suite.tlsUrl('notes');
    await writeFile(files.certFile, second.cert);
    now += 1000;
    expect(await shown(url)).toBe('first');
    const kept = suite.log().filter(({ event }) => event === 'tls-kept');
    expect(kept).toMatchObject([{ err: { message: expect.stringContaining('tls.keyFile: the key in') } }]);
    now += 1000;
    expect(await shown(url)).toBe('first');
    await writeFile(files.keyFile, second.key);
    now += 1000;
    expect(await shown(url)).toBe('second');
    await rm(files.certFile);
    now += 1000;
    expect(await shown(url)).toBe('second');
    expect(suite.log().filter(({ event }) => event === 'tls-kept')).toHaveLength(2);
  });

  test('that has run out is told of in the log, once, and shown all the same', async () => {
    let now = Date.now();
    const suite = await start({}, () => now);
    const told = () =>
      suite
        .log()
        .filter(({ event }) => event === 'tls-dates')
        .map(({ msg }) => msg);
    expect(told()).toEqual([expect.stringContaining('expires soon')]);
    now += 3 * 86_400_000;
    for (const _ of [1, 2]) expect(await shown(suite.tlsUrl('notes'))).toBe('first');
    expect(told().slice(1)).toEqual([expect.stringMatching(/the certificate has expired: it was good until .* GMT/)]);
    await suite.close();
    now = 0;
    await start({}, () => now);
    expect(larder!.log()).toContainEqual(
      expect.objectContaining({ msg: expect.stringContaining('is the clock of this machine right?') }),
    );
  });
});

describe('on the way out', () => {
  test('running requests finish and new ones find nobody', async () => {
    origin.set('/notes/slow', { body: Buffer.alloc(60_000, 'x'), pace: 60_000 });
    const suite = await start();
    const url = suite.tlsUrl('notes');
    const dispatcher = client();
    const running = await fetch(`${url}/notes/slow`, { dispatcher });
    const closed = suite.close();
    await pause(50);
    await expect(fetch(`${url}/notes/one`)).rejects.toThrow();
    expect((await running.arrayBuffer()).byteLength).toBe(60_000);
    await closed;
    await dispatcher.close();
  });

  test('connections that are idle, or never said hello, keep nobody waiting for longer than all may', async () => {
    const suite = await start({ drainSeconds: 0.3 });
    const url = suite.tlsUrl('notes');
    const { hostname, port } = new URL(url);
    const silent = connect(Number(port), hostname);
    await once(silent, 'connect');
    const idle = await hello(url);
    const began = performance.now();
    await Promise.all([suite.close(), once(silent, 'close'), once(idle, 'close')]);
    expect(performance.now() - began).toBeLessThan(15_000);
  });
});

describe('settings that cannot work', () => {
  const broken = async (tls: Record<string, unknown>) => {
    const own = { url: origin.url, tlsPort: 0 };
    return startLarder({ services: [notes], config: { tls, notes: own } }).then(
      async (started) => {
        await started.close();
        return 'it started';
      },
      (error: Error) => error.message,
    );
  };

  test('name the one that is missing', async () => {
    expect(await broken({})).toMatch(/^tls\.certFile: it is not set, and notes\.tlsPort needs it/);
    expect(await broken({ certFile: files.certFile })).toMatch(/^tls\.keyFile: it is not set/);
  });

  test('name the file that cannot be read, or holds something else', async () => {
    const nowhere = join(folder.path, 'nowhere.pem');
    expect(await broken({ ...files, certFile: nowhere })).toMatch(/^tls\.certFile: .*nowhere\.pem .*\(ENOENT\)/);
    expect(await broken({ ...files, keyFile: nowhere })).toMatch(/^tls\.keyFile: .*nowhere\.pem .*\(ENOENT\)/);
    expect(await broken({ ...files, certFile: files.keyFile })).toMatch(/^tls\.certFile: .* holds no certificate/);
    expect(await broken({ ...files, keyFile: files.certFile })).toMatch(/^tls\.keyFile: .* holds no private key/);
    await writeFile(files.certFile, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(await broken(files)).toMatch(/^tls\.certFile: .* cannot be read$/);
  });

  test('say that a key has a passphrase', async () => {
    const locked = join(folder.path, 'locked.pem');
    const args = ['pkey', '-in', files.keyFile, '-aes256', '-passout', 'pass:secret', '-out', locked];
    expect((await runCommand('openssl', args)).code).toBe(0);
    expect(await broken({ ...files, keyFile: locked })).toMatch(/^tls\.keyFile: .* passphrase; it must have none$/);
  });

  test('say that key and certificate do not belong together, or that the order is wrong', async () => {
    await writeFile(files.keyFile, second.key);
    expect(await broken(files)).toMatch(
      /^tls\.keyFile: the key in .*tls\.key does not fit the certificate in .*tls\.crt/,
    );
    await writeFile(files.certFile, first.cert + second.cert);
    expect(await broken(files)).toMatch(/^tls\.certFile: the server's own certificate must be the first .* number 2$/);
  });

  test('are told of in the log when nothing uses them', async () => {
    larder = await startLarder({ services: [notes], config: { tls: files, notes: { url: origin.url } } });
    expect(larder.log()).toContainEqual(expect.objectContaining({ event: 'tls-unused' }));
  });

  test('say which setting to change when the port is taken', async () => {
    const suite = await start();
    const port = Number(new URL(suite.tlsUrl('notes')).port);
    const config = { tls: files, notes: { url: origin.url, tlsPort: port } };
    await expect(startLarder({ services: [notes], config })).rejects.toThrow(/set notes\.tlsPort to a free port/);
  });
});

describe('S3 over TLS, with buckets in the host', () => {
  const keys = [{ accessKeyId: 'lab', secretAccessKey: 'laboratory' }];
  let sdk: S3Client;

  beforeEach(async () => {
    larder = await startLarder({
      services: [s3],
      config: { tls: files, s3: { tlsPort: 0, keys, domains: ['s3.site'] } },
    });
    const port = new URL(larder.tlsUrl('s3')).port;
    sdk = new S3Client({
      endpoint: `https://s3.site:${port}`,
      region: 'us-east-1',
      credentials: { ...keys[0]! },
      requestHandler: { httpsAgent: siteAgent() },
    });
  });
  afterEach(() => sdk.destroy());

  /** Every name of the site is this machine. */
  function siteAgent(): TlsAgent {
    const lookup = (_name: string, options: { all?: boolean }, done: (...found: unknown[]) => void) =>
      options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
    return new TlsAgent({ ca: first.cert, lookup: lookup as never });
  }

  test('are read and written by the SDK, large bodies whole', async () => {
    await sdk.send(new CreateBucketCommand({ Bucket: 'nim' }));
    const body = randomBytes(24 * 1024 * 1024);
    const Key = 'nim%2Fmeta%2Fllama3-8b-instruct%3Ahf%3Ffile%3Dmodel.safetensors';
    await sdk.send(new PutObjectCommand({ Bucket: 'nim', Key, Body: body }));
    const listed = await sdk.send(new ListObjectsV2Command({ Bucket: 'nim' }));
    expect(listed.Contents).toMatchObject([{ Key, Size: body.length }]);
    const { Body } = await sdk.send(new GetObjectCommand({ Bucket: 'nim', Key }));
    const hash = createHash('sha256');
    let chunks = 0;
    for await (const chunk of Body as AsyncIterable<Buffer>) {
      hash.update(chunk);
      chunks += 1;
      // a reader that is slower than what sends
      if (chunks % 40 === 0) await pause(5);
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(body).digest('hex'));
  });

  test('hear whether a body is wanted before they send it', async () => {
    const port = new URL(larder!.tlsUrl('s3')).port;
    const asked = request(`https://nobody.s3.site:${port}/key`, {
      method: 'PUT',
      agent: siteAgent(),
      headers: { expect: '100-continue', 'content-length': 10 },
    });
    let continued = false;
    asked.on('continue', () => {
      continued = true;
    });
    asked.flushHeaders();
    const [answer] = await once(asked, 'response');
    expect([answer.statusCode, continued]).toEqual([403, false]);
    asked.destroy();
  });
});

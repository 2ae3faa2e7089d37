import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';

/** The large wheel is no zip: nobody looks into it when its METADATA stands beside it. */
const METADATA = 'Metadata-Version: 2.1\nName: payload\nVersion: 1.0\n';

/** Files of the project `big`: PyPI's largest pages are of this size. */
const FILES = 2000;

export interface IndexOrigin {
  url: string;
  /** Downloads of a file that were started. */
  downloads(): number;
  /** Milliseconds (performance.now) at which the first byte of the last download left. */
  firstByteAt(): number;
  close(): Promise<void>;
}

/**
 * An index for benchmarks: a project of 2,000 files, and one wheel of `fileBytes` that is sent at `bytesPerSecond`.
 * In its own process where a bench would otherwise measure itself.
 */
export async function startIndexOrigin(options: { fileBytes: number; bytesPerSecond?: number }): Promise<IndexOrigin> {
  const seed = randomBytes(256 << 10);
  const sha256 = digestOfRepeated(seed, options.fileBytes);
  const filename = 'payload-1.0-py3-none-any.whl';
  let downloads = 0;
  let firstByteAt = 0;
  const server = createServer((req, res) => {
    const path = req.url!.split('?')[0]!;
    if (path === '/simple/')
      return page(res, { meta: { 'api-version': '1.1' }, projects: [{ name: 'big' }, { name: 'payload' }] });
    if (path === '/simple/big/') return page(res, bigProject());
    if (path === '/simple/payload/')
      return page(
        res,
        project('payload', ['1.0'], [fileOf(filename, `/files/${filename}`, sha256, options.fileBytes)]),
      );
    if (path === `/files/${filename}.metadata`) return void res.end(METADATA);
    if (path !== `/files/${filename}`) {
      res.writeHead(404).end();
      return;
    }
    res.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': options.fileBytes,
      etag: `"${sha256}"`,
    });
    if (req.method === 'HEAD') return void res.end();
    downloads += 1;
    firstByteAt = performance.now();
    // a client that leaves early is no fault of a bench
    pipeline(repeated(seed, options.fileBytes, options.bytesPerSecond), res).catch(() => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    downloads: () => downloads,
    firstByteAt: () => firstByteAt,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function page(res: ServerResponse, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(200, {
    'content-type': 'application/vnd.pypi.simple.v1+json',
    'content-length': Buffer.byteLength(text),
    etag: `"${createHash('sha256').update(text).digest('hex').slice(0, 16)}"`,
    'x-pypi-last-serial': '1',
  });
  res.end(text);
}

function bigProject(): unknown {
  const versions = Array.from({ length: FILES / 10 }, (_, index) => `1.${index}`);
  const files = Array.from({ length: FILES }, (_, index) => {
    const name = `big-1.${Math.floor(index / 10)}-cp3${index % 10}-cp3${index % 10}-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`;
    const sha256 = createHash('sha256').update(name).digest('hex');
    return fileOf(
      name,
      `/packages/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256.slice(4)}/${name}`,
      sha256,
      1000 + index,
    );
  });
  return project('big', versions, files);
}

function project(name: string, versions: string[], files: unknown[]): unknown {
  return { meta: { 'api-version': '1.4', '_last-serial': 1 }, name, versions, files };
}

function fileOf(filename: string, url: string, sha256: string, size: number): unknown {
  const metadata = { sha256: createHash('sha256').update(METADATA).digest('hex') };
  return {
    filename,
    url,
    hashes: { sha256 },
    size,
    'upload-time': '2025-01-01T00:00:00.000000Z',
    'requires-python': '>=3.9',
    yanked: false,
    'core-metadata': metadata,
    'data-dist-info-metadata': metadata,
    provenance: null,
  };
}

function digestOfRepeated(seed: Buffer, size: number): string {
  const hash = createHash('sha256');
  for (let left = size; left > 0; left -= seed.length) hash.update(seed.subarray(0, Math.min(left, seed.length)));
  return hash.digest('hex');
}

/** A steady pace, as a line has one: small pieces, each at its time. */
async function* repeated(seed: Buffer, size: number, bytesPerSecond = Number.POSITIVE_INFINITY) {
  const started = performance.now();
  for (let sent = 0; sent < size; ) {
    const piece = seed.subarray(0, Math.min(seed.length, size - sent));
    yield piece;
    sent += piece.length;
    const wait = started + (sent / bytesPerSecond) * 1000 - performance.now();
    if (wait > 2) await setTimeout(wait);
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { client } from '../support/clients.ts';
import { freePort } from '../support/free-port.ts';
import { runCommand } from '../support/python-clients.ts';
import { spawnLarder } from '../support/spawn-larder.ts';
import { startIndexOrigin } from './index-origin.ts';
import { latencies, type Peer, percentile, requestsPerSecond, startPeer } from './measure.ts';
import type { Row } from './table.ts';

/** What pip and uv send. */
const HEADERS = { Accept: 'application/vnd.pypi.simple.v1+json', 'Accept-Encoding': 'gzip' };

/** A project page of 2,000 files as JSON, and a file of 1 MB, beside devpi and proxpi over the same origin. */
export async function benchPages(): Promise<Row[]> {
  const origin = await startIndexOrigin({ fileBytes: 1_000_000 });
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const larder = await spawnLarder({
    store: join(folder, 'larder'),
    env: {
      LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: `${origin.url}/simple/` }]),
      LARDER_LOG_LEVEL: 'warn',
    },
  });
  const peers: Peer[] = [];
  try {
    const devpi = await startDevpi(join(folder, 'devpi'), `${origin.url}/simple/`);
    peers.push(devpi);
    const proxpi = await startProxpi(join(folder, 'proxpi'), `${origin.url}/simple/`);
    peers.push(proxpi);
    const page = `${larder.urls.pypi}/simple/big/`;
    const rate = (url: string) => requestsPerSecond(url, { connections: 8, seconds: 4, headers: HEADERS });
    await rate(page);
    const [ours, devpis, proxpis] = [
      await rate(page),
      await rate(`${devpi.url}/root/larder/+simple/big/`),
      await rate(`${proxpi.url}/index/big/`),
    ];
    const late = await latencies(page, { perSecond: 1000, seconds: 8, headers: HEADERS });
    const file = '/files/pypi/payload/payload-1.0-py3-none-any.whl';
    await fetch(larder.urls.pypi + file).then((answer) => answer.arrayBuffer());
    const proxied = `${proxpi.url}/index/payload/payload-1.0-py3-none-any.whl`;
    await fetch(proxied).then((answer) => answer.arrayBuffer());
    const fileRate = (url: string) => requestsPerSecond(url, { connections: 8, seconds: 4 });
    await fileRate(larder.urls.pypi + file);
    const [ourFile, proxpiFile] = [await fileRate(larder.urls.pypi + file), await fileRate(proxied)];
    return [
      {
        what: '2,000-file page as JSON, requests/s',
        ours: ours.toFixed(0),
        peer: `devpi ${devpis.toFixed(1)}`,
        ratio: ours / devpis,
        wanted: '≥ 100',
        met: ours / devpis >= 100,
      },
      {
        what: 'the same',
        ours: ours.toFixed(0),
        peer: `proxpi ${proxpis.toFixed(1)}`,
        ratio: ours / proxpis,
        wanted: '≥ 20',
        met: ours / proxpis >= 20,
      },
      {
        what: 'the same at 1,000 requests/s, p99',
        ours: `${percentile(late, 0.99).toFixed(1)} ms`,
        peer: '',
        wanted: '< 30 ms',
        met: percentile(late, 0.99) < 30,
      },
      {
        what: '1 MB file, requests/s',
        ours: ourFile.toFixed(0),
        peer: `proxpi (gunicorn) ${proxpiFile.toFixed(0)}`,
        ratio: ourFile / proxpiFile,
        wanted: '> 1',
        met: ourFile > proxpiFile,
      },
    ];
  } finally {
    for (const peer of peers) await peer.stop();
    await larder.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function startDevpi(dir: string, mirror: string): Promise<Peer> {
  const bin = await client('devpi-server');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await runCommand(join(bin, 'devpi-init'), ['--serverdir', dir, '--no-root-pypi']);
  const peer = await startPeer(
    join(bin, 'devpi-server'),
    ['--serverdir', dir, '--host', '127.0.0.1', '--port', String(port)],
    { url, ready: `${url}/+api` },
  );
  const json = ['-s', '-H', 'Content-Type: application/json'];
  const login = await runCommand('curl', [
    ...json,
    '-X',
    'POST',
    '-d',
    '{"user":"root","password":""}',
    `${url}/+login`,
  ]);
  const { result } = JSON.parse(login.stdout) as { result: { password: string } };
  const auth = Buffer.from(`root:${result.password}`).toString('base64');
  const settings = JSON.stringify({ type: 'mirror', mirror_url: mirror, volatile: false, mirror_cache_expiry: 86_400 });
  await runCommand('curl', [...json, '-X', 'PUT', '-H', `X-Devpi-Auth: ${auth}`, '-d', settings, `${url}/root/larder`]);
  return peer;
}

async function startProxpi(dir: string, mirror: string): Promise<Peer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { PROXPI_INDEX_URL: mirror, PROXPI_CACHE_DIR: dir, PROXPI_INDEX_TTL: '86400' };
  const args = ['--bind', `127.0.0.1:${port}`, '--workers', '1', '--threads', '8', 'proxpi.server:app'];
  return startPeer(join(await client('proxpi'), 'gunicorn'), args, { url, env, ready: `${url}/index/` });
}

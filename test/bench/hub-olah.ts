import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { pythonVenv } from '../support/python-clients.ts';
import { type Peer, startPeer } from './measure.ts';

/**
 * olah, the Hub mirror that most sites run, over our test hub.
 *
 * By default it asks its hub about every file each time one is read (a HEAD), so it is also tried `offline`: over a
 * cache that it filled itself, with nobody to ask. That is the fastest it can be.
 * @param dir its folder; one that is given again has its cache again
 */
export async function startOlah(
  dir: string,
  hub: { url: string; cdnUrl: string },
  options: { offline?: boolean } = {},
): Promise<Peer> {
  const bin = await pythonVenv('olah', ['olah']);
  const port = await freePort();
  const { host, protocol } = new URL(hub.url);
  await mkdir(dir, { recursive: true });
  const settings = join(dir, options.offline ? 'offline.toml' : 'olah.toml');
  await writeFile(
    settings,
    `[basic]
host = "127.0.0.1"
port = ${port}
repos-path = ${JSON.stringify(join(dir, 'repos'))}
hf-scheme = "${protocol.slice(0, -1)}"
hf-netloc = "${host}"
hf-lfs-netloc = "${new URL(hub.cdnUrl).host}"
[accessibility]
offline = ${options.offline === true}
`,
  );
  const args = ['--config', settings, '--log-path', join(dir, 'logs')];
  return startPeer(join(bin, 'olah-cli'), args, {
    url: `http://127.0.0.1:${port}`,
    cwd: dir,
    // its front page fails without a network
    ready: `http://127.0.0.1:${port}/openapi.json`,
  });
}

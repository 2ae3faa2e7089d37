import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { type Peer, startPeer } from './measure.ts';

/** nginx with sendfile over a folder, as plain as it can be: what a static file server makes of this machine. */
export function startNginx(dir: string, root: string): Promise<Peer> {
  return start(dir, `root ${root};`);
}

/** nginx before another server, with its own defaults of buffering: what a proxy makes of this machine. */
export function startProxyNginx(dir: string, target: string): Promise<Peer> {
  return start(dir, `location / { proxy_pass ${target}; proxy_http_version 1.1; }`);
}

async function start(dir: string, serves: string): Promise<Peer> {
  const port = await freePort();
  await mkdir(dir);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${dir}/${name};`)
    .join(' ');
  const conf = `user root; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log; daemon off; events { worker_connections 64; }
http { access_log off; sendfile on; tcp_nopush on; ${temporary} server { listen 127.0.0.1:${port}; ${serves} } }`;
  await writeFile(join(dir, 'nginx.conf'), conf);
  return startPeer('/usr/sbin/nginx', ['-c', join(dir, 'nginx.conf')], { url: `http://127.0.0.1:${port}` });
}

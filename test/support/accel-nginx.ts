import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { endDaemon } from './daemons.ts';
import { freePort } from './free-port.ts';

const CONF = resolve(import.meta.dirname, '../../config/nginx-accel.conf');

/** Debian's nginx with the settings that come along. */
export interface AccelNginx {
  /** No trailing slash. */
  url: string;
  close(): Promise<void>;
}

/** @param larder where the service is that it stands before @param store the directory that both read */
export async function startAccelNginx(larder: string, store: string): Promise<AccelNginx> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-nginx-'));
  await mkdir(join(folder, 'temp'));
  const address = `127.0.0.1:${await freePort()}`;
  const text = await readFile(CONF, 'utf8');
  const ours = text
    .replace('server 127.0.0.1:5000;', `server ${new URL(larder).host};`)
    .replace('listen 80;', `listen ${address};`)
    .replace('/var/lib/larder/data/', `${store}/`);
  await writeFile(join(folder, 'larder.conf'), ours);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path temp;`);
  const whole = `user root; worker_processes 1; pid pid; error_log stderr; daemon off; events {}
http { access_log off; ${temporary.join(' ')} include larder.conf; }`;
  await writeFile(join(folder, 'nginx.conf'), whole);
  const child = spawn('/usr/sbin/nginx', ['-p', folder, '-c', 'nginx.conf'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.on('data', (chunk) => {
    words = (words + chunk).slice(-4000);
  });
  child.on('error', (error) => {
    words += error.message;
  });
  const url = `http://${address}`;
  for (let tries = 0; !(await answers(url)); tries += 1) {
    if (child.exitCode !== null || child.pid === undefined || tries > 200)
      throw new Error(`nginx did not start: ${words}`);
    await new Promise((done) => setTimeout(done, 25));
  }
  return {
    url,
    async close() {
      await endDaemon(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (answer) => answer.arrayBuffer().then(() => true),
    () => false,
  );
}

import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { type Peer, startPeer } from './measure.ts';
import { layForVerdaccio, type MadePackage } from './npm-content.ts';

const VERDACCIO = resolve(import.meta.dirname, '../../node_modules/verdaccio/bin/verdaccio');

/** Verdaccio as it comes, with a storage of its own that has these packages, and nobody to ask for others. */
export async function startVerdaccio(folder: string, packages: readonly MadePackage[]): Promise<Peer> {
  await mkdir(folder, { recursive: true });
  await layForVerdaccio(`${folder}/storage`, packages);
  const settings = {
    storage: './storage',
    auth: { htpasswd: { file: './htpasswd' } },
    packages: { '@*/*': access(), '**': access() },
    middlewares: { audit: { enabled: true } },
    // its own default writes a line for each request
    log: { type: 'stdout', format: 'json', level: 'warn' },
  };
  // JSON is YAML
  await writeFile(`${folder}/config.yaml`, JSON.stringify(settings));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = [VERDACCIO, '--config', `${folder}/config.yaml`, '--listen', `127.0.0.1:${port}`];
  return startPeer(process.execPath, args, { url, ready: `${url}/-/ping` });
}

const access = () => ({ access: '$all', publish: '$authenticated', unpublish: '$authenticated' });

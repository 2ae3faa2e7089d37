import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ACCESS_KEY, type Engine, freePort, placeOf, SECRET_KEY, startEngine } from './engines.ts';

/**
 * The `weed` of this machine: LARDER_TEST_WEED, else the one on the PATH. It is not built here as the other engines are,
 * since the module proxy offers no version of it.
 */
export function weedProgram(): string | undefined {
  if (process.env.LARDER_TEST_WEED) return process.env.LARDER_TEST_WEED;
  try {
    return execFileSync('sh', ['-c', 'command -v weed'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** SeaweedFS: master, one volume server, filer and S3 in one process. */
export async function startSeaweedfs(program: string): Promise<Engine> {
  const place = await placeOf();
  const identities = join(place.data, 's3.json');
  const credentials = [{ accessKey: ACCESS_KEY, secretKey: SECRET_KEY }];
  const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
  await writeFile(identities, JSON.stringify({ identities: [{ name: 'larder', credentials, actions }] }));
  const master = await freePort();
  const ports = [`-master.port=${master}`];
  for (const part of ['volume.port', 'filer.port']) ports.push(`-${part}=${await freePort()}`);
  for (const part of ['master', 'volume', 'filer', 's3']) ports.push(`-${part}.port.grpc=${await freePort()}`);
  const args = [
    'server',
    `-dir=${place.data}`,
    '-ip=127.0.0.1',
    '-master.volumeSizeLimitMB=256',
    '-volume.max=64',
    '-s3',
    `-s3.port=${new URL(place.endpoint).port}`,
    `-s3.config=${identities}`,
    ...ports,
  ];
  // its S3 port answers long before there is a volume to write to
  const canWrite = async () =>
    (await isOk(`http://127.0.0.1:${master}/dir/assign`)) && (await isOk(`${place.endpoint}/healthz`));
  return startEngine('seaweedfs', program, args, process.env, place, canWrite);
}

function isOk(url: string): Promise<boolean> {
  return fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );
}

import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ACCESS_KEY, type Engine, type Place, placeOf, SECRET_KEY, startEngine } from './engines.ts';
import { freePort } from './free-port.ts';
import { goProgram } from './go-programs.ts';

/** LARDER_TEST_WEED, else the one on the PATH, else one that is built. */
export async function weedProgram(): Promise<string> {
  return process.env.LARDER_TEST_WEED ?? onPath() ?? (await goProgram('weed'));
}

function onPath(): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'command -v weed'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/**
 * SeaweedFS: master, one volume server, filer and S3 in one process.
 * @param options.sync it brings what it stores to the disk before it says so, as far as it can: its volumes do, the
 * filer's names are left to the system
 */
export async function startSeaweedfs(options: { sync?: boolean } = {}): Promise<Engine> {
  const place = await placeOf();
  const master = await freePort();
  const ports = [`-master.port=${master}`];
  const filer = await freePort();
  ports.push(`-filer.port=${filer}`, `-volume.port=${await freePort()}`);
  const grpc = { master: await freePort(), volume: await freePort(), filer: await freePort(), s3: await freePort() };
  for (const [part, port] of Object.entries(grpc)) ports.push(`-${part}.port.grpc=${port}`);
  const args = [
    'server',
    `-dir=${place.data}`,
    '-ip=127.0.0.1',
    '-master.volumeSizeLimitMB=256',
    '-volume.max=64',
    '-s3',
    `-s3.port=${new URL(place.endpoint).port}`,
    `-s3.config=${await identitiesIn(place)}`,
    ...ports,
  ];
  const program = await weedProgram();
  const engine = await startEngine('seaweedfs', program, args, process.env, place, () => canWrite(master, place));
  if (options.sync) {
    const rule = 'fs.configure -locationPrefix=/buckets/ -fsync=true -apply\n';
    const servers = [`-master=127.0.0.1:${master}.${grpc.master}`, `-filer=127.0.0.1:${filer}.${grpc.filer}`];
    const said = execFileSync(program, ['shell', ...servers], { input: rule, encoding: 'utf8', timeout: 30_000 });
    if (!said.includes('"fsync": true')) throw new Error(`SeaweedFS does not sync: ${said.slice(0, 1000)}`);
  }
  return engine;
}

/** A SeaweedFS of several processes, each with a pid of its own. */
export interface SeaweedfsCluster extends Engine {
  /** Each may go and come back: what was written lies on two of them. */
  volumes: Engine[];
}

/** Master, three volume servers, filer, S3; `replication=001`: "replicate once on the same rack". */
export async function startSeaweedfsCluster(): Promise<SeaweedfsCluster> {
  const program = await weedProgram();
  const ends: (() => Promise<void>)[] = [];
  const start = async (name: string, place: Place, args: string[], isReady: () => Promise<boolean>) => {
    const engine = await startEngine(`seaweedfs ${name}`, program, [name, ...args], process.env, place, isReady);
    ends.push(engine.close);
    return engine;
  };
  const close = async () => {
    for (const end of ends.reverse()) await end();
  };
  try {
    const [master, masterPlace] = await ownPlace();
    const masterAt = `127.0.0.1:${master.port}.${master.grpc}`;
    const more = ['-defaultReplication=001', '-volumeSizeLimitMB=256', `-mdir=${masterPlace.data}`];
    const status = () => isOk(`${masterPlace.endpoint}/dir/status`);
    await start('master', masterPlace, [...flags(master), ...more], status);
    const volumes: Engine[] = [];
    for (let count = 0; count < 3; count += 1) {
      const [ports, place] = await ownPlace();
      const args = [...flags(ports), `-dir=${place.data}`, '-max=64', `-mserver=${masterAt}`];
      volumes.push(await start('volume', place, args, () => isOk(`${place.endpoint}/status`)));
    }
    const [filer, filerPlace] = await ownPlace();
    const args = [...flags(filer), `-master=${masterAt}`, `-defaultStoreDir=${filerPlace.data}`];
    await start('filer', filerPlace, args, () => isOk(`${filerPlace.endpoint}/`));
    const [face, facePlace] = await ownPlace();
    const filerAt = `-filer=127.0.0.1:${filer.port}.${filer.grpc}`;
    const own = ['-ip.bind=127.0.0.1', `-port=${face.port}`, `-port.grpc=${face.grpc}`];
    const config = `-config=${await identitiesIn(facePlace)}`;
    const s3 = await start('s3', facePlace, [...own, filerAt, config], () => canWrite(master.port, facePlace));
    return Object.assign(s3, { volumes, close });
  } catch (error) {
    await close();
    throw error;
  }
}

interface Ports {
  port: number;
  grpc: number;
}

async function ownPlace(): Promise<[Ports, Place]> {
  const place = await placeOf();
  return [{ port: Number(new URL(place.endpoint).port), grpc: await freePort() }, place];
}

const flags = ({ port, grpc }: Ports) => ['-ip=127.0.0.1', `-port=${port}`, `-port.grpc=${grpc}`];

/** A file that says who may use its S3 side. */
async function identitiesIn({ data }: Place): Promise<string> {
  const path = join(data, 's3.json');
  const credentials = [{ accessKey: ACCESS_KEY, secretKey: SECRET_KEY }];
  const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
  await writeFile(path, JSON.stringify({ identities: [{ name: 'larder', credentials, actions }] }));
  return path;
}

/** Its S3 port answers long before there is a volume to write to. */
async function canWrite(master: number, { endpoint }: Place): Promise<boolean> {
  return (await isOk(`http://127.0.0.1:${master}/dir/assign`)) && (await isOk(`${endpoint}/healthz`));
}

function isOk(url: string): Promise<boolean> {
  return fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );
}

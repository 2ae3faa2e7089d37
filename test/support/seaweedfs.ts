import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ACCESS_KEY, type Engine, freePort, type Place, placeOf, SECRET_KEY, startEngine } from './engines.ts';
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

/** SeaweedFS: master, one volume server, filer and S3 in one process. */
export async function startSeaweedfs(): Promise<Engine> {
  const place = await placeOf();
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
    ...(await faceOf(place)),
    ...ports,
  ];
  return startEngine('seaweedfs', await weedProgram(), args, process.env, place, () => canWrite(master, place));
}

/** A SeaweedFS of several processes, each with a pid of its own. */
export interface SeaweedfsCluster extends Engine {
  /** Each may go and come back: what was written lies on two of them. */
  volumes: Engine[];
}

/** Master, three volume servers, and a filer with S3; `replication=001`: "replicate once on the same rack". */
export async function startSeaweedfsCluster(): Promise<SeaweedfsCluster> {
  const program = await weedProgram();
  const ends: (() => Promise<void>)[] = [];
  const start = async (name: string, place: Place, args: string[], isReady: () => Promise<boolean>) => {
    await mkdir(place.data, { recursive: true });
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
    const face = await placeOf();
    const [ports] = await ownPlace();
    const args = [...flags(ports), `-master=${masterAt}`, `-defaultStoreDir=${face.data}`, ...(await faceOf(face))];
    const grpc = `-s3.port.grpc=${await freePort()}`;
    const filer = await start('filer', face, [...args, grpc], () => canWrite(master.port, face));
    return Object.assign(filer, { volumes, close });
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

/** Flags of its S3 side, and the one who may use it. */
async function faceOf({ data, endpoint }: Place): Promise<string[]> {
  const identities = join(data, 's3.json');
  const credentials = [{ accessKey: ACCESS_KEY, secretKey: SECRET_KEY }];
  const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
  await writeFile(identities, JSON.stringify({ identities: [{ name: 'larder', credentials, actions }] }));
  return ['-s3', `-s3.port=${new URL(endpoint).port}`, `-s3.config=${identities}`];
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

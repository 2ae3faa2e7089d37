import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { MirrorError } from '../../../shared/model/errors.ts';
import { dispatcherFor } from '../../../shared/upstream/egress.ts';
import { registryPrefix } from '../../ngc/tao/tree.ts';
import type { S3Config } from '../../s3/config.ts';
import { openSession, type Session } from '../session.ts';
import { type Finding, good, tell, unknown, wrong } from './findings.ts';
import { codeOf, type S3Keys, S3Probe } from './s3-probe.ts';
import { checkImages } from './tao-images.ts';
import { checkRegistry } from './tao-registry.ts';

export function registerTao(doctor: Command): void {
  doctor
    .command('tao')
    .description(
      "goes through the troubleshooting of NVIDIA's guide to TAO without a network, against a running Larder",
    )
    .option('--registry <path>', "TAO's LOCAL_MODEL_REGISTRY")
    .option('--settings <file>', "TAO's config.env or values.yaml: LOCAL_MODEL_REGISTRY is read there")
    .option('--bucket <name>', 'cloud_bucket_name of its workspace', 'tao-storage')
    .option('--s3 <url>', 'endpoint_url of its workspace (default: as the settings have it)')
    .option(
      '--keys <file>',
      'its access key: a file of two lines, id and secret (default: the first of the setting s3.keys)',
    )
    .option('--oci <url>', 'where its images come from (default: as the settings have it)')
    .option('--preset <name>', 'the images that it needs', 'tao-ftms-6.25')
    .option('--no-images', 'do not look for images')
    .option('--ca <file>', 'PEM of an authority to trust')
    .action(examine);
}

interface Flags {
  registry?: string;
  settings?: string;
  bucket: string;
  s3?: string;
  keys?: string;
  oci?: string;
  preset: string;
  images: boolean;
  ca?: string;
}

async function examine(flags: Flags, command: Command): Promise<void> {
  const session = await openSession(command);
  const said = flags.settings === undefined ? undefined : await registryIn(flags.settings);
  const text = flags.registry ?? said;
  if (text === undefined)
    throw usage(
      'say where TAO looks for its models: --registry <LOCAL_MODEL_REGISTRY>, or --settings <config.env or values.yaml>',
    );
  const registry = registryPrefix(text);
  const dispatcher = dispatcherFor(flags.ca === undefined ? {} : { ca: [await readText('--ca', flags.ca)] });
  const endpoint = flags.s3 ?? urlOf(session, 's3');
  const probe = new S3Probe({ endpoint, bucket: flags.bucket, keys: await keysOf(session, flags.keys), dispatcher });
  const findings = async function* (): AsyncGenerator<Finding> {
    yield* checkSetting(flags, said);
    const bucket = await guarded('connect', checkBucket(probe, endpoint));
    yield* bucket;
    if (bucket.every(({ state }) => state !== 'wrong'))
      yield* await guarded('metadata', checkRegistry(probe, registry));
    if (!flags.images) return;
    const oci = flags.oci ?? urlOf(session, 'oci');
    yield* await guarded('images', checkImages({ url: oci, preset: flags.preset, dispatcher }));
  };
  try {
    await tell(findings(), session.json);
  } finally {
    await dispatcher.close();
  }
}

/** What a check found; a failure of its own is a finding, too. */
async function guarded(check: string, findings: AsyncIterable<Finding>): Promise<Finding[]> {
  const found: Finding[] = [];
  try {
    for await (const finding of findings) found.push(finding);
  } catch (error) {
    if (error instanceof MirrorError) throw error;
    found.push(wrong(check, `it could not be looked at: ${wordsOf(error)}`));
  }
  return found;
}

function* checkSetting({ registry, settings }: Flags, said: string | undefined): Generator<Finding> {
  if (said === undefined) return;
  const isSame = registry === undefined || registryPrefix(registry) === registryPrefix(said);
  if (isSame) yield good('setting', `${settings} says LOCAL_MODEL_REGISTRY=${said}`);
  else
    yield wrong(
      'setting',
      `${settings} says LOCAL_MODEL_REGISTRY=${said}, and models are looked for at ${registry}: they have to be the same`,
    );
}

/** "SeaweedFS connection issues": the endpoint, by path, with TAO's keys; the bucket; that jobs can write to it. */
async function* checkBucket(probe: S3Probe, endpoint: string): AsyncGenerator<Finding> {
  const { bucket } = probe;
  const answer = await probe
    .ask('GET', '', [
      ['list-type', '2'],
      ['max-keys', '0'],
    ])
    .catch((error: unknown) => error);
  if (answer instanceof Error || !(typeof answer === 'object' && answer && 'status' in answer)) {
    yield wrong(
      'connect',
      `${endpoint} does not answer (${wordsOf(answer)}): is Larder running there, and is the S3 face on that port?`,
    );
    return;
  }
  const response = answer as Awaited<ReturnType<S3Probe['ask']>>;
  yield good('connect', `${endpoint} answers`);
  if (/^(localhost|127\.|\[::1\])/.test(new URL(endpoint).hostname))
    yield unknown(
      'endpoint',
      `inside TAO's containers ${new URL(endpoint).hostname} is the container itself: endpoint_url of the workspace has to be a name that they can reach`,
    );
  const text = await response.text();
  const code = /<Code>([^<]*)</.exec(text)?.[1];
  const named = /<BucketName>([^<]*)</.exec(text)?.[1];
  if (response.status === 404 && named !== undefined && named !== bucket) {
    yield wrong(
      'path style',
      `${endpoint} takes "${named}" of its host for the bucket: TAO puts the bucket into the path; give it a host that is not below one of s3.domains`,
    );
    return;
  }
  if (response.status === 404) {
    yield wrong('bucket', `there is no bucket "${bucket}": "larder tao publish --bucket ${bucket}" makes it`);
    return;
  }
  if (response.status !== 200) {
    yield wrong(
      'keys',
      `the bucket "${bucket}" is refused (${response.status} ${code ?? ''}): access_key and secret_key of the workspace have to be a key of Larder's (s3.keys, or larder token create --s3)`,
    );
    return;
  }
  yield good('bucket', `"${bucket}" is there, in the path as TAO has it, and the key may read it`);
  // it names a state that the object is not in, so that nothing is ever written
  const write = await probe.ask('PUT', '/.larder-doctor', [], { 'if-match': '"never"', 'content-length': '0' });
  const refusal = await codeOf(write);
  if (write.status === 404 || write.status === 412)
    yield good('write', "the key may write: results of TAO's jobs go there");
  else
    yield wrong(
      'write',
      `the key may not write to "${bucket}" (${write.status} ${refusal ?? ''}), and results of TAO's jobs go there`,
    );
}

/** As the settings say; else this machine. */
function urlOf({ config }: Session, service: string): string {
  const { listener } = config.services.get(service)!;
  return (listener.publicUrl ?? `http://127.0.0.1:${listener.port}`).replace(/\/+$/, '');
}

async function keysOf({ config }: Session, file: string | undefined): Promise<S3Keys> {
  if (file !== undefined) {
    const [accessKeyId, secretAccessKey] = (await readText('--keys', file)).split(/\r?\n/).map((line) => line.trim());
    if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
    throw usage(`--keys: ${file} holds two lines, the id of an access key and its secret`);
  }
  const [first] = (config.services.get('s3')!.settings as S3Config).keys;
  if (!first)
    throw usage("say the access key of TAO's workspace: --keys <file>, as there is none in the setting s3.keys");
  const secret = first.secretAccessKey ?? (await readText('s3.keys', first.secretAccessKeyFile!)).trim();
  return { accessKeyId: first.accessKeyId, secretAccessKey: secret };
}

/** `LOCAL_MODEL_REGISTRY=…` of config.env, or `LOCAL_MODEL_REGISTRY: "…"` of values.yaml. */
async function registryIn(file: string): Promise<string> {
  const found = /^\s*(?:export\s+)?LOCAL_MODEL_REGISTRY\s*[:=]\s*["']?([^"'#\s]+)/m.exec(
    await readText('--settings', file),
  );
  if (found) return found[1]!;
  throw usage(`--settings: ${file} has no LOCAL_MODEL_REGISTRY`);
}

async function readText(option: string, file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw usage(`${option}: ${file} cannot be read (${error.code})`);
  });
}

const usage = (message: string) => new MirrorError('bad-request', 'settings', message);

function wordsOf(error: unknown): string {
  const { message = String(error), cause } = (error ?? {}) as Error;
  const { code, message: deeper } = (cause ?? {}) as NodeJS.ErrnoException;
  return code ?? deeper ?? message;
}

import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { containerTool } from '../support/container-tools.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { imageOf, largeLayer, sha } from '../support/images.ts';
import { type S3Site, startS3Site } from '../support/s3-site.ts';

let site: S3Site;
const LARGE = randomBytes(20_000_000);
const at = (name: string) => join(site.folder, name);

beforeAll(async () => {
  site = await startS3Site();
  await mkdir(at('airgapped-assets/models/a+b ü'), { recursive: true });
  await mkdir(at('airgapped-assets/datasets'), { recursive: true });
  await writeFile(at('airgapped-assets/models/ptm_metadatas.json'), '{"id": {"name": "x"}}');
  await writeFile(at('airgapped-assets/models/a+b ü/weights.bin'), LARGE);
  await writeFile(at('airgapped-assets/datasets/data.tar'), 'tar');
});
afterAll(() => site?.close());

const same = async (name: string) => expect((await readFile(at(name))).equals(LARGE)).toBe(true);

/** "Step 3. Upload Assets" of the guide for TAO behind the gap, word for word but for the command's place. */
const guide = (aws: string) => `
SEAWEED_ENDPOINT=${site.url}
${aws} s3 mb --endpoint-url $SEAWEED_ENDPOINT s3://tao-storage
${aws} s3 cp --endpoint-url $SEAWEED_ENDPOINT \\
  airgapped-assets/models/ \\
  s3://tao-storage/shared-storage/ptm/airgapped-models/ \\
  --recursive
${aws} s3 cp --endpoint-url $SEAWEED_ENDPOINT \\
  airgapped-assets/datasets/ \\
  s3://tao-storage/data/ \\
  --recursive
`;

const CLIS: [string, () => Promise<string>][] = [
  ['1', async () => join(await client('awscli'), 'aws')],
  ['2', () => containerTool('aws')],
];

describe.each(CLIS)('the aws CLI, version %s', (version, find) => {
  let aws: string;
  const s3 = (...args: string[]) => site.run(aws, ['s3', '--endpoint-url', site.url, ...args]);
  const bucket = `s3://cli-${version}`;

  beforeAll(async () => {
    aws = await find();
    await s3('mb', bucket);
  });

  test('uploads what the guide of TAO says, word for word', async () => {
    await site.run('sh', ['-ec', guide(aws)]);
    const listed = await s3('ls', '--recursive', 's3://tao-storage');
    expect(listed.split('\n').map((line) => line.replace(/^\S+ \S+ +/, ''))).toEqual([
      '3 data/data.tar',
      '20000000 shared-storage/ptm/airgapped-models/a+b ü/weights.bin',
      '21 shared-storage/ptm/airgapped-models/ptm_metadatas.json',
      '',
    ]);
    await s3('rb', '--force', 's3://tao-storage');
  });

  test('copies folders up, across and down, and lists and removes them', async () => {
    await s3('cp', '--recursive', '--metadata', 'one=1', 'airgapped-assets', `${bucket}/up/`);
    expect(await s3('ls', `${bucket}/up/models/`)).toMatch(/PRE a\+b ü\/\n.* 21 ptm_metadatas\.json/);
    await s3('cp', '--recursive', `${bucket}/up/`, `${bucket}/across/`);
    await s3('cp', '--recursive', `${bucket}/across/`, `down-${version}`);
    await same(`down-${version}/models/a+b ü/weights.bin`);
    await s3('rm', '--recursive', `${bucket}/across/`);
    expect((await site.attempt(aws, ['s3', '--endpoint-url', site.url, 'ls', `${bucket}/across/`])).code).toBe(1);
  });

  test('syncs: once what is new, then nothing, then what was deleted', async () => {
    expect(await s3('sync', 'airgapped-assets', `${bucket}/sync`)).toMatch(/upload: .*weights\.bin/);
    expect(await s3('sync', 'airgapped-assets', `${bucket}/sync`)).toBe('');
    expect(await s3('sync', `${bucket}/sync`, `synced-${version}`)).toMatch(/download: .*weights\.bin/);
    await same(`synced-${version}/models/a+b ü/weights.bin`);
    await s3('rm', `${bucket}/sync/datasets/data.tar`);
    expect(await s3('sync', '--delete', `${bucket}/sync`, `synced-${version}`)).toMatch(/delete: .*data\.tar/);
  });

  test('presigns addresses that anybody can follow', async () => {
    await s3('cp', 'airgapped-assets/models/ptm_metadatas.json', `${bucket}/signed file`);
    const address = (await s3('presign', `${bucket}/signed file`)).trim();
    expect(address).toMatch(version === '1' ? /AWSAccessKeyId=/ : /X-Amz-Signature=/);
    const answer = await fetch(address);
    expect([answer.status, await answer.text()]).toEqual([200, '{"id": {"name": "x"}}']);
    expect((await fetch(`${address}0`)).status).toBe(403);
  });

  test('tells what is wrong in words that help', async () => {
    const none = await site.attempt(aws, ['s3', '--endpoint-url', site.url, 'cp', `${bucket}/none`, 'x']);
    expect(none.stderr).toMatch(/404|Not Found/);
    const wrong = await site.attempt(aws, ['s3', '--endpoint-url', site.url, 'ls', bucket], {
      AWS_SECRET_ACCESS_KEY: 'wrong',
    });
    expect(wrong.stderr).toMatch(/SignatureDoesNotMatch.*Check your key/);
  });
});

test('rclone copies, checks by MD5 and by parts, keeps times, and finds nothing left to do', async () => {
  const rclone = await containerTool('rclone');
  const env = { RCLONE_CONFIG_L_ENDPOINT: `${site.url}/` };
  const run = (...args: string[]) => site.run(rclone, [...args, '--s3-upload-cutoff', '6M'], env);
  await run('copy', 'airgapped-assets', 'l:rclone/in');
  await run('check', 'airgapped-assets', 'l:rclone/in');
  expect(await run('copy', 'airgapped-assets', 'l:rclone/in', '--stats-log-level', 'NOTICE')).toBe('');
  await run('copy', 'l:rclone/in', 'rcloned');
  await same('rcloned/models/a+b ü/weights.bin');
  const times = async (place: string) =>
    (await run('lsl', place))
      .replace(/\.\d+ /g, ' ')
      .split('\n')
      .sort();
  expect(await times('l:rclone/in')).toEqual(await times('airgapped-assets'));
  await run('moveto', 'l:rclone/in/datasets/data.tar', 'l:rclone/moved');
  expect(await run('cat', 'l:rclone/moved')).toBe('tar');
  await run('purge', 'l:rclone');
});

test('s3cmd puts, signs, gets, moves and deletes', async () => {
  const s3cmd = await containerTool('s3cmd');
  const host = new URL(site.url).host;
  const run = (...args: string[]) =>
    site.run(s3cmd, [
      ...['--no-ssl', '--host', host, '--host-bucket', host],
      ...['--access_key', site.accessKey, '--secret_key', site.secretKey, ...args],
    ]);
  await run('mb', 's3://s3cmd');
  await run('put', '--recursive', 'airgapped-assets/models/', 's3://s3cmd/models/');
  await run('put', '--multipart-chunk-size-mb=5', 'airgapped-assets/models/a+b ü/weights.bin', 's3://s3cmd/parts');
  await run('get', 's3://s3cmd/parts', 'got');
  await same('got');
  await run('mv', 's3://s3cmd/parts', 's3://s3cmd/moved');
  expect(await run('ls', 's3://s3cmd')).toMatch(/moved/);
  expect(await run('info', 's3://s3cmd/moved')).toMatch(/20000000/);
  await run('rb', '--recursive', '--force', 's3://s3cmd');
});

test('mc mirrors, shows, compares and removes', async () => {
  const mc = await containerTool('mc');
  const run = (...args: string[]) => site.run(mc, ['--quiet', ...args]);
  await run('mb', 'l/tools');
  await run('mirror', 'airgapped-assets', 'l/tools/in');
  expect(await run('ls', '--recursive', 'l/tools')).toMatch(/weights\.bin/);
  expect(await run('diff', 'airgapped-assets', 'l/tools/in')).toBe('');
  await run('cp', 'l/tools/in/models/a+b ü/weights.bin', 'mc-got');
  await same('mc-got');
  expect(await run('stat', 'l/tools/in/datasets/data.tar')).toMatch(/Size\s+:\s+3 B/);
  await run('tag', 'set', 'l/tools/in/datasets/data.tar', 'a=b');
  expect(await run('tag', 'list', 'l/tools/in/datasets/data.tar')).toMatch(/a\s+:\s+b/);
  await run('rb', '--force', 'l/tools');
});

test.each([false, true])("distribution's registry keeps images in a bucket (redirects off: %s)", async (disable) => {
  await site.run(await containerTool('aws'), ['s3', '--endpoint-url', site.url, 'mb', `s3://images-${disable}`]);
  const driver = {
    s3: {
      ...{ accesskey: site.accessKey, secretkey: site.secretKey, region: 'us-east-1', bucket: `images-${disable}` },
      ...{ regionendpoint: site.url, secure: false, chunksize: 5_242_880, rootdirectory: '/registry' },
    },
    redirect: { disable },
  };
  const registry = await startDockerRegistry(undefined, driver);
  try {
    const layer = await largeLayer(12_000_000);
    const image = await imageOf({ layers: [layer] });
    await registry.put('team/app', '1', image);
    const crane = await containerTool('crane');
    const name = `${new URL(registry.endpoint).host}/team/app:1`;
    expect((await site.run(crane, ['digest', '--insecure', name])).trim()).toBe(image.digest);
    await site.run(crane, ['pull', '--insecure', name, `image-${disable}.tar`]);
    const blob = `${registry.endpoint}/v2/team/app/blobs/${sha(layer.bytes)}`;
    const answer = await fetch(blob, { redirect: 'manual' });
    await answer.body?.cancel();
    expect(answer.status).toBe(disable ? 200 : 307);
    const followed = Buffer.from(await (await fetch(blob)).arrayBuffer());
    expect(followed.equals(layer.bytes)).toBe(true);
  } finally {
    await registry.close();
  }
});

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { containerTool } from '../support/container-tools.ts';
import { sha256 } from '../support/hub-sites.ts';
import { filesIn, type S3Site, startS3Site } from '../support/s3-site.ts';

/** As MLIS and NVIDIA's NIM name their files: one key, with literal escapes in it. */
const NIM = ['config.json', 'model-00001-of-00002.safetensors', 'checksums.blake3'].map(
  (file) => `nim%2Fmeta%2Fllama3-8b-instruct%3A0.11.1%2Bba20956e-l40sx1%3Ffile%3D${file}`,
);
const LONGEST = Array.from({ length: 5 }, (_, part) => `${part}`.repeat(204)).join('/');
const PLAIN = [
  ...NIM,
  'a+b',
  'a b',
  'ä/日本/😀',
  `it's "quoted" & <odd>; (1)!*~`,
  '100%25',
  'a%2Fb%252Fc',
  '?x=1#y',
  LONGEST,
];
/** Names that no folder of a computer has. */
const UNLIKE_PATHS = ['a//b', '/leading', 'x/../y', './z', 'both', 'both/below'];

let site: S3Site;
let mc: (...args: string[]) => Promise<string>;
let rclone: (...args: string[]) => Promise<string>;
let aws: (...args: string[]) => Promise<string>;
const at = (name: string) => join(site.folder, name);
const boto3 = async (script: string) =>
  site.python(await client('awscli'), `import boto3, json\ns3 = boto3.client("s3")\n${script}`);
const keysByBoto3 = async (bucket: string) =>
  JSON.parse(
    await boto3(
      `print(json.dumps([one["Key"] for page in s3.get_paginator("list_objects").paginate(Bucket="${bucket}", PaginationConfig={"PageSize": 2}) for one in page["Contents"]]))`,
    ),
  ) as string[];
const inBytes = (keys: readonly string[]) =>
  [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));

beforeAll(async () => {
  site = await startS3Site({ LARDER_S3_PUBLIC: '["nim*"]', LARDER_S3_DOMAINS: '["s3.localhost"]' });
  const mcPath = await containerTool('mc');
  mc = (...args) => site.run(mcPath, ['--quiet', ...args]);
  const rclonePath = await containerTool('rclone');
  rclone = (...args) => site.run(rclonePath, args);
  const awsPath = await containerTool('aws');
  aws = (...args) => site.run(awsPath, ['--endpoint-url', site.url, ...args]);
});
afterAll(() => site?.close());

describe('keys of all kinds', () => {
  const ALL = [...PLAIN, ...UNLIKE_PATHS];

  beforeAll(async () => {
    await writeFile(at('keys.json'), JSON.stringify(ALL));
    await boto3(`
s3.create_bucket(Bucket="keys")
for key in json.load(open("keys.json")):
    s3.put_object(Bucket="keys", Key=key, Body=key.encode())
`);
  });

  test('are listed as they were put, in the order of their bytes, by boto3, the aws CLI and mc', async () => {
    expect(Buffer.byteLength(LONGEST)).toBe(1024);
    expect(await keysByBoto3('keys')).toEqual(inBytes(ALL));
    const listed = await aws(
      's3api',
      'list-objects-v2',
      '--bucket',
      'keys',
      '--query',
      'Contents[].Key',
      '--output',
      'json',
    );
    expect(JSON.parse(listed)).toEqual(inBytes(ALL));
    const lines = (await mc('ls', '--recursive', '--json', 'l/keys')).trim().split('\n');
    const byMc = lines.map((line) => (JSON.parse(line) as { key: string }).key);
    expect(inBytes(byMc)).toEqual(inBytes(ALL));
  });

  test('are read as they were put by boto3, rclone and mc', async () => {
    await boto3(`
for key in json.load(open("keys.json")):
    assert s3.get_object(Bucket="keys", Key=key)["Body"].read() == key.encode(), key
    assert s3.head_object(Bucket="keys", Key=key)["ContentLength"] == len(key.encode()), key
`);
    const byRclone = (await rclone('lsf', '-R', '--files-only', 'l:keys')).trimEnd().split('\n');
    for (const key of PLAIN) {
      expect(byRclone).toContain(key);
      expect(await rclone('cat', `l:keys/${key}`)).toBe(key);
      expect(await mc('cat', `l/keys/${key}`)).toBe(key);
    }
  });

  test('are put by mc and rclone as boto3 reads them', async () => {
    const of = (tool: string, key: string) => (key === LONGEST ? tool[0] + key.slice(1) : `${tool}/${key}`);
    await mc('mb', 'l/theirs');
    for (const key of PLAIN) {
      await mc('cp', `l/keys/${key}`, `l/theirs/${of('mc', key)}`);
      await rclone('copyto', `l:keys/${key}`, `l:theirs/${of('rclone', key)}`);
    }
    const wanted = PLAIN.flatMap((key) => [of('mc', key), of('rclone', key)]);
    expect(await keysByBoto3('theirs')).toEqual(inBytes(wanted));
  });
});

describe('files of NIM, by keys that hold escapes', () => {
  const FILES = Object.fromEntries(NIM.map((name) => [name, sha256(name)]));

  beforeAll(async () => {
    await mkdir(at('nim'));
    for (const name of NIM) await writeFile(at(`nim/${name}`), name);
    await aws('s3', 'mb', 's3://nim-own');
    await aws('s3', 'cp', '--recursive', 'nim/', 's3://nim-own/');
  });

  test('come by "aws s3 cp" and are called what they are', async () => {
    expect(await keysByBoto3('nim-own')).toEqual(inBytes(NIM));
    await aws('s3', 'cp', '--recursive', 's3://nim-own/', 'nim-aws');
    await rclone('copy', 'l:nim-own', 'nim-rclone');
    await mc('mirror', 'l/nim-own', 'nim-mc');
    for (const folder of ['nim-aws', 'nim-rclone', 'nim-mc']) expect(await filesIn(at(folder))).toEqual(FILES);
  });

  test('come as "upload-nim" of MLIS writes them', async () => {
    await boto3(`
from urllib.parse import quote_plus
s3.create_bucket(Bucket="nim-mlis")
s3.put_object(Bucket="nim-mlis", Key="prefix/" + quote_plus("nim/meta/llama3-8b-instruct:0.11.1+ba20956e-l40sx1?file=config.json"), Body=b"{}")
`);
    expect(await keysByBoto3('nim-mlis')).toEqual([`prefix/${NIM[0]}`]);
  });

  test('are read by the host of their bucket, signed by fields and in addresses of both versions', async () => {
    const { port } = new URL(site.url);
    const read = await boto3(`
import socket, urllib.request
from botocore.config import Config
lookup = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: lookup("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more)
found = []
for version in ["s3", "s3v4"]:
    config = Config(signature_version=version, s3={"addressing_style": "virtual"})
    hosted = boto3.client("s3", endpoint_url="http://s3.localhost:${port}", config=config)
    asked = {"Bucket": "nim-own", "Key": "${NIM[0]}"}
    address = hosted.generate_presigned_url("get_object", asked)
    assert address.startswith("http://nim-own.s3.localhost:${port}/nim%252Fmeta"), address
    found.append(urllib.request.urlopen(address).read().decode())
found.append(hosted.get_object(**asked)["Body"].read().decode())
print(json.dumps([found, [one["Key"] for one in hosted.list_objects(Bucket="nim-own")["Contents"]]]))
`);
    expect(JSON.parse(read)).toEqual([[NIM[0], NIM[0], NIM[0]], inBytes(NIM)]);
  });

  test('are decoded once', async () => {
    const status = async (path: string) => (await fetch(`${site.url}/nim-own/${path}`)).status;
    expect(await status(encodeURIComponent(NIM[0]!))).toBe(200);
    expect(await status(NIM[0]!)).toBe(404);
    expect(await status(decodeURIComponent(NIM[0]!).split('?')[0]!)).toBe(404);
  });
});

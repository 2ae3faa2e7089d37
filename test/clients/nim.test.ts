import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../shared/storage/store.ts';
import { temporaryFolder } from '../support/bundles.ts';
import { client } from '../support/clients.ts';
import { sha256 } from '../support/hub-sites.ts';
import { larder } from '../support/larder.ts';
import { checksumsOf, holdModel } from '../support/nim-models.ts';
import { type S3Site, startS3Site } from '../support/s3-site.ts';
import { makeCertificate } from '../support/tls.ts';

const ENGINE = randomBytes(20_000_000);
const HF = 'nim/meta/llama3-8b-instruct:hf';
const TRT = 'nim/meta/llama3-8b-instruct:0.11.1+ba20956e-l40sx1';
const FILES = { 'config.json': '{"a":1}', 'sub/rank0.engine': ENGINE };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let site: S3Site;
const at = (...names: string[]) => join(folder.path, ...names);

async function fill(place: string): Promise<void> {
  const store = await openStore(place, { now: Date.now });
  const files = { ...FILES, 'checksums.blake3': await checksumsOf(FILES) };
  for (const id of [HF, TRT]) await holdModel(store, id, files);
  await store.close();
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await makeCertificate(folder.path, 'DNS:s3.site,DNS:*.s3.site');
  const tls = { LARDER_TLS_CERT_FILE: at('cert.pem'), LARDER_TLS_KEY_FILE: at('key.pem') };
  site = await startS3Site({ ...tls, LARDER_S3_TLS_PORT: '0', LARDER_S3_DOMAINS: 's3.site' }, fill);
  await mkdir(at('store'));
  await fill(at('store'));
});
afterAll(async () => {
  await site?.close();
  await folder?.remove();
});

test('the bucket "nim" is read as NIM_REPOSITORY_OVERRIDE=s3://nim/ has it: bucket in the host, TLS, keys at its root', async () => {
  const port = new URL(site.larder.tlsUrls.s3!).port;
  const said = await site.python(
    await client('awscli'),
    `
import boto3, hashlib, json, socket
from botocore.config import Config
asked = []
look = socket.getaddrinfo
def getaddrinfo(host, *rest, **more):
    asked.append(host)
    return look("127.0.0.1", *rest, **more)
socket.getaddrinfo = getaddrinfo
paths = []
s3 = boto3.client("s3", endpoint_url="https://s3.site:${port}", verify="${at('cert.pem')}",
                  config=Config(s3={"addressing_style": "virtual"}))
s3.meta.events.register("before-send.s3.GetObject", lambda request, **_: paths.append(request.url))
key = "nim%2Fmeta%2Fllama3-8b-instruct%3Ahf%3Ffile%3Dconfig.json"
assert s3.get_object(Bucket="nim", Key=key)["Body"].read() == b'{"a":1}'
assert paths == ["https://nim.s3.site:${port}/" + key.replace("%", "%25")], paths
assert set(asked) == {"nim.s3.site"}, asked
engine = "nim%2Fmeta%2Fllama3-8b-instruct%3A0.11.1%2Bba20956e-l40sx1%3Ffile%3Dsub%2Frank0.engine"
s3.download_file("nim", engine, "engine")
head = s3.head_object(Bucket="nim", Key=engine)
part = s3.get_object(Bucket="nim", Key=engine, Range="bytes=5-9", IfMatch=head["ETag"])
assert len(part["Body"].read()) == 5
keys = [one["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="nim", PaginationConfig={"PageSize": 4}) for one in page["Contents"]]
assert keys == sorted(keys) and key in keys and engine in keys and len(keys) == 6, keys
try:
    s3.get_object(Bucket="nim", Key="nim/meta/llama3-8b-instruct:hf?file=config.json")
    assert False
except s3.exceptions.NoSuchKey:
    pass
print(json.dumps([head["ContentLength"], hashlib.sha256(open("engine", "rb").read()).hexdigest()]))
`,
  );
  expect(JSON.parse(said)).toEqual([ENGINE.length, sha256(ENGINE)]);
});

test('a cache that was exported is laid out as the hub’s own library expects one: a NIM’s is made alike', async () => {
  const made = await larder(['nim', 'export', at('cache'), '--model', HF, TRT, '--store', at('store')]);
  expect([made.code, made.stdout]).toEqual([0, expect.stringContaining('3 files copied')]);
  const said = await site.python(
    await client('hf-2'),
    `
import json
from huggingface_hub import scan_cache_dir
found = scan_cache_dir("${at('cache/ngc/hub')}")
[repo] = found.repos
print(json.dumps({
    "warnings": [str(one).split("/")[-1] for one in found.warnings],
    "id": repo.repo_id,
    "size": repo.size_on_disk,
    "revisions": {one.commit_hash: [sorted(one.refs), sorted(str(file.file_path.relative_to(one.snapshot_path)) for file in one.files)] for one in repo.revisions},
}))
`,
  );
  const files = ['checksums.blake3', 'config.json', 'sub/rank0.engine'];
  const { warnings, id, size, revisions } = JSON.parse(said);
  // "tmp" is a NIM's own
  expect([warnings, id]).toEqual([['tmp'], 'nim/meta/llama3-8b-instruct']);
  expect(size).toBeLessThan(ENGINE.length + 1000);
  expect(revisions).toEqual({ hf: [['hf'], files], '0.11.1+ba20956e-l40sx1': [['0.11.1+ba20956e-l40sx1'], files] });
});

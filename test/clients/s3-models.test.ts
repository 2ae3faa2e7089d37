import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { containerTool } from '../support/container-tools.ts';
import { bytesOf, sha256 } from '../support/hub-sites.ts';
import { filesIn, modelsOf, type S3Site, startS3Site } from '../support/s3-site.ts';

const WEIGHTS = bytesOf((9 << 20) + 5, 'models');
const MODEL = {
  id: 'acme/tiny',
  files: { 'config.json': '{}', 'onnx/model.onnx': WEIGHTS, 'weird ä #1+%.txt': 'odd', '__init__.py': '' },
};
const FILES = Object.fromEntries(Object.entries(MODEL.files).map(([path, bytes]) => [path, sha256(bytes)]));
const MAIN = 'models/acme/tiny/main';

let site: S3Site;
let mc: string;
let rclone: string;
let aws: string;
const at = (name: string) => join(site.folder, name);
const store = () => at('store');
const boto3 = async <T>(script: string) =>
  JSON.parse(await site.python(await client('awscli'), `import boto3, json\ns3 = boto3.client("s3")\n${script}`)) as T;

beforeAll(async () => {
  site = await startS3Site({}, modelsOf([MODEL, { ...MODEL, id: 'acme/tiny-base' }]));
  mc = await containerTool('mc');
  rclone = await containerTool('rclone');
  aws = await containerTool('aws');
  await writeFile(at('mine'), 'mine');
});
afterAll(() => site?.close());

const s3 = (...args: string[]) => site.run(aws, ['s3', '--endpoint-url', site.url, ...args]);
const byMc = (...args: string[]) => site.run(mc, ['--quiet', ...args]);
const byRclone = (...args: string[]) => site.run(rclone, args);

describe('a model that came over the gap, in the bucket "models"', () => {
  test('is synced down by the aws CLI, all of it, and then there is nothing left to do', async () => {
    expect(await s3('ls', 's3://models/acme/')).toMatch(/PRE tiny-base\/\n\s+PRE tiny\//);
    await s3('sync', `s3://${MAIN}`, 'by-aws');
    expect(await filesIn(at('by-aws'))).toEqual(FILES);
    expect(await s3('sync', `s3://${MAIN}`, 'by-aws')).toBe('');
  });

  test('is mirrored by mc and finds no difference', async () => {
    await byMc('mirror', `l/${MAIN}`, 'by-mc');
    expect(await filesIn(at('by-mc'))).toEqual(FILES);
    expect(await byMc('diff', `l/${MAIN}`, 'by-mc')).toBe('');
  });

  test('is copied by rclone, which checks each byte of it', async () => {
    await byRclone('copy', `l:${MAIN}`, 'by-rclone');
    expect(await filesIn(at('by-rclone'))).toEqual(FILES);
    await byRclone('check', '--download', `l:${MAIN}`, 'by-rclone');
    await byRclone('check', `l:${MAIN}`, 'by-aws');
  });

  test('has one ETag per file, in each list, on HEAD, on GET and on a range', async () => {
    const etags = await boto3<Record<string, string[]>>(`
def listed(operation):
    return {one["Key"]: one["ETag"] for page in s3.get_paginator(operation).paginate(Bucket="models", PaginationConfig={"PageSize": 3}) for one in page["Contents"]}
first, second, old = listed("list_objects_v2"), listed("list_objects_v2"), listed("list_objects")
answers = {}
for key in first:
    asked = {"Bucket": "models", "Key": key}
    looked, got = s3.head_object(**asked), s3.get_object(**asked)
    got["Body"].read()
    answers[key] = sorted({first[key], second[key], old[key], looked["ETag"], got["ETag"]})
    if looked["ContentLength"]:
        answers[key] = sorted({*answers[key], s3.get_object(**asked, Range="bytes=0-0", IfMatch=looked["ETag"])["ETag"]})
print(json.dumps(answers))
`);
    // of "main" and of its commit, of both repos
    expect(Object.keys(etags)).toHaveLength(4 * Object.keys(FILES).length);
    for (const [key, found] of Object.entries(etags)) expect(found, key).toHaveLength(1);
    const ofWeights = Object.entries(etags).filter(([key]) => key.endsWith('model.onnx'));
    expect(new Set(ofWeights.flatMap(([, found]) => found)).size).toBe(1);
  });

  test('cannot be written to, and is told so in words', async () => {
    const words = /only read; copy from it into a bucket of your own/;
    const once = ['--retries', '1', '--low-level-retries', '1'];
    const attempts: [string, string[], RegExp?][] = [
      [aws, ['s3', '--endpoint-url', site.url, 'cp', 'mine', `s3://${MAIN}/config.json`]],
      [aws, ['s3', '--endpoint-url', site.url, 'rm', `s3://${MAIN}/config.json`]],
      [aws, ['s3', '--endpoint-url', site.url, 'cp', 'by-aws/onnx/model.onnx', `s3://${MAIN}/other`]],
      [mc, ['cp', 'mine', `l/${MAIN}/config.json`], /Insufficient permissions/],
      [rclone, ['copyto', 'mine', `l:${MAIN}/config.json`, ...once]],
    ];
    for (const [command, args, own = words] of attempts) {
      const { code, stderr } = await site.attempt(command, args);
      expect([code === 0, stderr], args.join(' ')).toEqual([false, expect.stringMatching(own)]);
    }
    await s3('cp', `s3://${MAIN}/config.json`, 'still-there');
    expect(await readFile(at('still-there'), 'utf8')).toBe('{}');
  });

  test('is the same bytes by the hub’s protocol and by S3, and lies there once, also when it is copied', async () => {
    const resolved = await fetch(`${site.larder.urls.huggingface}/acme/tiny/resolve/main/onnx/model.onnx`);
    expect(sha256(Buffer.from(await resolved.arrayBuffer()))).toBe(FILES['onnx/model.onnx']);
    const blobs = async () => (await readdir(join(store(), 'blobs/sha256'))).sort();
    const before = await blobs();
    await boto3(`
s3.create_bucket(Bucket="own")
s3.copy_object(Bucket="own", Key="model.onnx", CopySource={"Bucket": "models", "Key": "acme/tiny/main/onnx/model.onnx"})
print(json.dumps(s3.head_object(Bucket="own", Key="model.onnx")["ContentLength"]))
`);
    expect(await blobs()).toEqual(before);
    expect(before.filter((name) => name === FILES['onnx/model.onnx'])).toHaveLength(1);
    await s3('cp', 's3://own/model.onnx', 'copied');
    expect((await readFile(at('copied'))).equals(WEIGHTS)).toBe(true);
  });

  test('is given by a signed address to anybody', async () => {
    for (const program of [aws, join(await client('awscli'), 'aws')]) {
      const key = `s3://${MAIN}/weird ä #1+%.txt`;
      const address = (await site.run(program, ['s3', '--endpoint-url', site.url, 'presign', key])).trim();
      expect(await (await fetch(address)).text()).toBe('odd');
    }
  });

  test('shows up when its bundle is imported while the site is served', async () => {
    await modelsOf([{ id: 'acme/later', files: { 'config.json': '{"later":1}' } }])(store());
    await s3('cp', 's3://models/acme/later/main/config.json', 'later');
    expect(await readFile(at('later'), 'utf8')).toBe('{"later":1}');
    expect(await s3('ls', 's3://models/acme/')).toMatch(/PRE later\//);
  });
});

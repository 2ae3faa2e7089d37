import { existsSync } from 'node:fs';
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { bytesOf } from '../support/hub-sites.ts';
import { mountBucket, type S3Mount } from '../support/s3-mount.ts';
import { modelsOf, type S3Site, startS3Site } from '../support/s3-site.ts';

const LARGE = bytesOf(25_000_000, 'mounted');
const MODEL = { id: 'acme/tiny', files: { 'config.json': '{}', 'onnx/model.onnx': bytesOf(3_000_000, 'onnx') } };

// where this machine has no FUSE there is nothing to mount with
describe.skipIf(!existsSync('/dev/fuse'))('a bucket that s3fs mounts', () => {
  let site: S3Site;
  let mount: S3Mount;
  let models: S3Mount;
  const at = (name: string) => join(mount.folder, name);
  const boto3 = async <T>(script: string) =>
    JSON.parse(
      await site.python(await client('awscli'), `import boto3, json\ns3 = boto3.client("s3")\n${script}`),
    ) as T;
  const keys = () =>
    boto3<string[]>('print(json.dumps([one["Key"] for one in s3.list_objects_v2(Bucket="disk").get("Contents", [])]))');

  beforeAll(async () => {
    site = await startS3Site({}, modelsOf([MODEL]));
    await boto3('s3.create_bucket(Bucket="disk"); print("{}")');
    mount = await mountBucket(site, 'disk', ['multipart_size=10', 'stat_cache_expire=1']);
    models = await mountBucket(site, 'models', ['ro']);
  });

  afterAll(async () => {
    await models?.close();
    await mount?.close();
    await site?.close();
  });

  test('keeps files, folders, modes and times', async () => {
    await mkdir(at('a b/ü'), { recursive: true });
    await writeFile(at('a b/ü/file + 1.txt'), 'hello');
    await chmod(at('a b/ü/file + 1.txt'), 0o640);
    await utimes(at('a b/ü/file + 1.txt'), 1_700_000_000, 1_700_000_000);
    const { mode, mtimeMs, size } = await stat(at('a b/ü/file + 1.txt'));
    expect([mode & 0o777, mtimeMs, size]).toEqual([0o640, 1_700_000_000_000, 5]);
    expect(await readdir(at('a b'))).toEqual(['ü']);
    await expect(stat(at('a b/none'))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await keys()).toEqual(['a b/', 'a b/ü/', 'a b/ü/file + 1.txt']);
  });

  test('writes what is large in parts and reads it back', async () => {
    await writeFile(at('large'), LARGE);
    expect((await readFile(at('large'))).equals(LARGE)).toBe(true);
    const head = await boto3<[string, number]>(
      'one = s3.head_object(Bucket="disk", Key="large"); print(json.dumps([one["ETag"], one["ContentLength"]]))',
    );
    expect(head).toEqual([expect.stringMatching(/-\d"$/), LARGE.length]);
  });

  test('changes files in place, renames and removes', async () => {
    await writeFile(at('notes'), 'one');
    await appendFile(at('notes'), ' two');
    expect(await readFile(at('notes'), 'utf8')).toBe('one two');
    await truncate(at('notes'), 3);
    await rename(at('notes'), at('renamed'));
    await rename(at('a b'), at('c d'));
    expect(await readFile(at('renamed'), 'utf8')).toBe('one');
    expect(await readFile(at('c d/ü/file + 1.txt'), 'utf8')).toBe('hello');
    await rename(at('large'), at('larger'));
    await rm(at('c d'), { recursive: true });
    await rm(at('renamed'));
    expect(await keys()).toEqual(['larger']);
    expect((await readFile(at('larger'))).equals(LARGE)).toBe(true);
  });

  test('shows what others put there, under keys that are folders to it', async () => {
    await boto3('s3.put_object(Bucket="disk", Key="theirs/deep/file", Body=b"theirs"); print("{}")');
    expect(await readFile(at('theirs/deep/file'), 'utf8')).toBe('theirs');
    expect(await readdir(at('theirs'))).toEqual(['deep']);
  });

  test('reads the models of the mirror as files', async () => {
    const main = join(models.folder, 'acme/tiny/main');
    expect((await readdir(main)).sort()).toEqual(['config.json', 'onnx']);
    expect((await readFile(join(main, 'onnx/model.onnx'))).equals(MODEL.files['onnx/model.onnx'] as Buffer)).toBe(true);
    await expect(writeFile(join(main, 'new'), 'x')).rejects.toThrow(/EROFS/);
  });
});

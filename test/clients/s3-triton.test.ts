import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { bytesOf, sha256 } from '../support/hub-sites.ts';
import { filesIn, modelsOf, type S3Site, startS3Site } from '../support/s3-site.ts';
import { makeCertificate } from '../support/tls.ts';
import { startTlsFront, type TlsFront } from '../support/tls-front.ts';
import { type TritonCredentials, TritonFiles } from '../support/triton-files.ts';

const WEIGHTS = bytesOf(5_000_000, 'triton');
const CONFIG = 'name: "bert"\nplatform: "onnxruntime_onnx"\n';
const MODEL = { id: 'acme/tiny', files: { 'config.json': '{}', 'onnx/model.onnx': WEIGHTS } };
/** Beside the model: more than a list has on a page. */
const MANY = 1_050;

let site: S3Site;
let front: TlsFront;
let credentials: TritonCredentials;
const at = (name: string) => join(site.folder, name);

beforeAll(async () => {
  site = await startS3Site({}, modelsOf([MODEL]));
  const certificate = await makeCertificate(site.folder);
  front = await startTlsFront(certificate);
  front.passTo(site.url);
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = site;
  credentials = { accessKeyId, secretAccessKey, region: 'us-west-2', ca: certificate.cert };
  const s3 = new S3Client({ endpoint: site.url, region: 'us-east-1', forcePathStyle: true, credentials });
  const put = (Key: string, Body: string | Buffer) => s3.send(new PutObjectCommand({ Bucket: 'triton', Key, Body }));
  await s3.send(new CreateBucketCommand({ Bucket: 'triton' }));
  await put('repo/bert/config.pbtxt', CONFIG);
  await put('repo/bert/1/model.onnx', WEIGHTS);
  await put('repo/bert/2/model.onnx', 'newer');
  await put('repo/bert/2/vocab/words.txt', 'a b');
  await put('repo/bert-large/config.pbtxt', 'name: "bert-large"');
  await put('repo/folder/', Buffer.alloc(0));
  await put('many/last/file', 'x');
  for (let first = 0; first < MANY; first += 50)
    await Promise.all(Array.from({ length: 50 }, (_, index) => put(`many/dir/${first + index}`, 'x')));
  s3.destroy();
});

afterAll(async () => {
  await front?.close();
  await site?.close();
});

const address = (url: string, path: string) => `s3://${url}/${path}`;

describe.each(['http', 'https'])('Triton’s requests in its order, over %s', (scheme) => {
  const files = (path: string) => new TritonFiles(address(scheme === 'http' ? site.url : front.url, path), credentials);

  test('find the models of a repository, their configurations and versions', async () => {
    const repository = files('triton/repo/');
    await repository.checkClient();
    expect(await repository.subdirectories(repository.root)).toEqual(['bert-large', 'bert', 'folder']);
    expect(await repository.readText('repo/bert/config.pbtxt')).toBe(CONFIG);
    expect(await repository.fileExists('repo/bert/labels.txt')).toBe(false);
    expect(await repository.fileExists('repo/bert')).toBe(true);
    expect(await repository.modificationTime('repo/bert/config.pbtxt')).toBeGreaterThan(Date.now() - 3_600_000);
    expect(await repository.modificationTime('repo/bert/1')).toBe(0);
    expect(await repository.contents('repo/folder')).toEqual([]);
    expect(await repository.subdirectories('repo/bert')).toEqual(['1', '2']);
  });

  test('bring a model here, level by level', async () => {
    const repository = files('triton/repo');
    const to = at(`localized-${scheme}`);
    await repository.localize('repo/bert', to);
    expect(await filesIn(to)).toEqual({
      ...{ 'config.pbtxt': sha256(CONFIG), '1/model.onnx': sha256(WEIGHTS) },
      ...{ '2/model.onnx': sha256('newer'), '2/vocab/words.txt': sha256('a b') },
    });
    expect(repository.asked.slice(0, 6)).toEqual([
      ...['HEAD /triton', 'GET /triton repo/bert/', 'HEAD /triton', 'GET /triton repo/bert/'],
      ...['GET /triton repo/bert/', 'HEAD /triton'],
    ]);
  });

  test('page through a directory of more files than a list has', async () => {
    const repository = files('triton/many');
    expect(await repository.contents('many')).toEqual(['dir', 'last']);
    expect(await repository.contents('many/dir')).toHaveLength(MANY);
    expect(repository.asked.filter((one) => one === 'GET /triton many/dir/')).toHaveLength(2);
  });

  test('bring a model of the mirror', async () => {
    const models = files('models/acme/tiny/main');
    const to = at(`mirrored-${scheme}`);
    await models.localize(models.root, to);
    expect((await readFile(join(to, 'onnx/model.onnx'))).equals(WEIGHTS)).toBe(true);
  });

  test('are told of a bucket that is not there and of a key that is wrong', async () => {
    await expect(files('never/repo').checkClient()).rejects.toThrow(/404/);
    const url = scheme === 'http' ? site.url : front.url;
    const wrong = new TritonFiles(address(url, 'triton/repo'), { ...credentials, secretAccessKey: 'wrong' });
    await expect(wrong.checkClient()).rejects.toThrow(/403/);
  });
});

test.each(['http', 'https'])(
  'the SDK for C++, as pyarrow has it, lists, reads, writes and copies over %s',
  async (scheme) => {
    await writeFile(at('ca.pem'), credentials.ca!);
    const said = await site.python(
      await client('pyarrow'),
      `
from pyarrow import fs
s3 = fs.S3FileSystem(access_key="${site.accessKey}", secret_key="${site.secretKey}", region="eu-odd-1",
                     scheme="${scheme}", endpoint_override="${new URL(scheme === 'http' ? site.url : front.url).host}",
                     allow_bucket_creation=True, allow_bucket_deletion=True,
                     ${scheme === 'https' ? 'tls_ca_file_path="ca.pem"' : ''})
found = {one.path: one.size for one in s3.get_file_info(fs.FileSelector("triton/repo/bert", recursive=True)) if one.is_file}
assert found == {"triton/repo/bert/config.pbtxt": ${CONFIG.length}, "triton/repo/bert/1/model.onnx": ${WEIGHTS.length}, "triton/repo/bert/2/model.onnx": 5, "triton/repo/bert/2/vocab/words.txt": 3}, found
weights = s3.open_input_file("triton/repo/bert/1/model.onnx")
whole = weights.read()
assert weights.read_at(100, 4_999_950) == whole[4_999_950:]
s3.create_dir("cpp-${scheme}")
with s3.open_output_stream("cpp-${scheme}/a b/large + ü.bin", metadata={"Content-Type": "application/x-odd"}) as out:
    for _ in range(4):
        out.write(whole)
with s3.open_input_stream("cpp-${scheme}/a b/large + ü.bin") as back:
    assert back.read() == whole * 4
s3.copy_file("cpp-${scheme}/a b/large + ü.bin", "cpp-${scheme}/copied")
s3.move("cpp-${scheme}/copied", "cpp-${scheme}/moved")
assert s3.get_file_info("cpp-${scheme}/moved").size == 4 * len(whole)
assert s3.get_file_info("cpp-${scheme}/none").type == fs.FileType.NotFound
assert s3.open_input_file("models/acme/tiny/main/onnx/model.onnx").read() == whole
s3.delete_dir("cpp-${scheme}/a b")
s3.delete_file("cpp-${scheme}/moved")
s3.delete_dir("cpp-${scheme}")
print("done")
`,
    );
    expect(said).toBe('done\n');
  },
);

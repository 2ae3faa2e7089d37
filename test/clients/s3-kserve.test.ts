import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { bytesOf, sha256 } from '../support/hub-sites.ts';
import { filesIn, modelsOf, type S3Site, startS3Site } from '../support/s3-site.ts';
import { makeCertificate } from '../support/tls.ts';
import { startTlsFront, type TlsFront } from '../support/tls-front.ts';

const DOWNLOADS = join(import.meta.dirname, '../fixtures/python/s3/kserve_downloads.py');
/** KServe reads from 8 MiB on in ranges. */
const WEIGHTS = bytesOf((9 << 20) + 7, 'weights');
const MODEL = {
  id: 'acme/tiny',
  files: { 'config.json': '{"model_type":"bert"}', 'onnx/model.onnx': WEIGHTS, 'weird ä #1+%.txt': 'odd', empty: '' },
};
/** As PCAI has them: a signed text of 2 KB and more, and a secret that nobody looks at. */
const LONG = { AWS_ACCESS_KEY_ID: `eyJ${'aGk.x-_/+='.repeat(260)}`, AWS_SECRET_ACCESS_KEY: 'x' };

let site: S3Site;
let front: TlsFront;
const at = (name: string) => join(site.folder, name);

beforeAll(async () => {
  const keys = [{ accessKeyId: LONG.AWS_ACCESS_KEY_ID, secretAccessKey: LONG.AWS_SECRET_ACCESS_KEY }];
  const settings = {
    LARDER_S3_KEYS: JSON.stringify(keys),
    LARDER_S3_PUBLIC: '["public-*"]',
    LARDER_S3_DOMAINS: '["s3.localhost"]',
  };
  site = await startS3Site(settings, modelsOf([MODEL, { ...MODEL, id: 'acme/tiny-base' }]));
  const certificate = await makeCertificate(site.folder);
  front = await startTlsFront(certificate);
  front.passTo(site.url);
  await writeFile(at('weights'), WEIGHTS);
  await writeFile(at('ca.pem'), certificate.cert);
  await site.python(
    await client('awscli'),
    `
import boto3
s3 = boto3.client("s3")
for bucket in ["registry", "public-models"]:
    s3.create_bucket(Bucket=bucket)
    s3.upload_file("weights", bucket, "models/bert/1/model.bin")
    s3.put_object(Bucket=bucket, Key="models/bert/config.pbtxt", Body=b"name: 1")
    s3.put_object(Bucket=bucket, Key="models/bert/empty/", Body=b"")
    s3.put_object(Bucket=bucket, Key="models/bert-large/other", Body=b"another model")
    s3.put_object(Bucket=bucket, Key="one/model.joblib", Body=b"one")
`,
  );
});

afterAll(async () => {
  await front?.close();
  await site?.close();
});

const BERT = { '1/model.bin': sha256(WEIGHTS), 'config.pbtxt': sha256('name: 1') };
const host = () => new URL(site.url).host;
const anonymous = { awsAnonymousCredential: 'true' };
const unsigned = { without: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] };

interface Wish {
  uri: string;
  env?: Record<string, string>;
  without?: string[];
}

/** What a registry of MLIS, an annotated secret or the storage's own settings say to the initializer. */
const WISHES: Record<string, () => Wish> = {
  plain: () => ({ uri: 's3://registry/models/bert/' }),
  'trailing slash': () => ({ uri: 's3://registry/models/bert/', env: { AWS_ENDPOINT_URL: `${site.url}/` } }),
  'one file': () => ({ uri: 's3://registry/one/model.joblib' }),
  'odd region': () => ({ uri: 's3://registry/models/bert/', env: { AWS_DEFAULT_REGION: 'mars-north-9' } }),
  'long key': () => ({ uri: 's3://registry/models/bert/', env: LONG }),
  anonymous: () => ({ uri: 's3://public-models/models/bert/', env: anonymous, ...unsigned }),
  'virtual host': () => ({
    uri: 's3://registry/models/bert/',
    env: { AWS_ENDPOINT_URL: `http://s3.localhost:${new URL(site.url).port}`, S3_USER_VIRTUAL_BUCKET: 'true' },
  }),
  'CA bundle': () => ({
    uri: 's3://registry/models/bert/',
    env: { AWS_ENDPOINT_URL: front.url, AWS_CA_BUNDLE: at('ca.pem'), S3_ENDPOINT: host(), S3_USE_HTTPS: '1' },
  }),
  insecure: () => ({
    uri: 's3://registry/models/bert/',
    env: { AWS_ENDPOINT_URL: `${front.url}/`, S3_VERIFY_SSL: '0' },
  }),
  'storage config': () => ({
    uri: 's3://registry/models/bert/',
    env: {
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      STORAGE_CONFIG: JSON.stringify({
        ...{ type: 's3', endpoint_url: site.url, access_key_id: site.accessKey, secret_access_key: site.secretKey },
        ...{ region: 'us-south', verify_ssl: '0' },
      }),
    },
    ...unsigned,
  }),
  'mirrored model': () => ({ uri: 's3://models/acme/tiny/main/' }),
  'nothing there': () => ({ uri: 's3://registry/models/none/' }),
  'no bucket': () => ({ uri: 's3://never/models/none/' }),
  'wrong secret': () => ({ uri: 's3://registry/models/bert/', env: { AWS_SECRET_ACCESS_KEY: 'wrong' } }),
  'anonymous where nobody may': () => ({ uri: 's3://registry/models/bert/', env: anonymous, ...unsigned }),
};

describe.each(['kserve-0.13', 'kserve-0.20', 'kserve'])('Storage.download of %s', (version) => {
  let outcomes: Record<string, { error?: string; hosts: string[] }>;
  const to = (name: string) => at(`${version}-${name.replaceAll(' ', '-')}`);
  const files = (name: string) => {
    expect(outcomes[name]).not.toHaveProperty('error');
    return filesIn(to(name));
  };

  beforeAll(async () => {
    const wishes = Object.entries(WISHES).map(([name, wish]) => [name, { ...wish(), to: to(name) }]);
    await writeFile(at('wishes.json'), JSON.stringify(Object.fromEntries(wishes)));
    const python = join(await client(version), 'python');
    outcomes = JSON.parse(await site.run(python, [DOWNLOADS, at('wishes.json')])) as typeof outcomes;
  });

  test.each(['plain', 'trailing slash', 'odd region', 'long key', 'anonymous', 'virtual host'])(
    'brings a model, all of it and nothing else: %s',
    async (name) => {
      expect(await files(name)).toEqual(BERT);
    },
  );

  test.each(['CA bundle', 'insecure', 'storage config'])('brings it as it is told to: %s', async (name) => {
    expect(await files(name)).toEqual(BERT);
  });

  test('asks for the bucket by its host where it is told to', () => {
    expect(outcomes['virtual host']!.hosts).toContain('registry.s3.localhost');
    expect(outcomes.plain!.hosts).toEqual(['127.0.0.1']);
  });

  test('brings one file by its whole name', async () => {
    expect(await files('one file')).toEqual({ 'model.joblib': sha256('one') });
  });

  test('brings a model that the mirror of the hub holds, "main" as it is', async () => {
    const { empty, ...found } = await files('mirrored model');
    expect(found).toEqual({
      'config.json': sha256(MODEL.files['config.json']),
      'onnx/model.onnx': sha256(WEIGHTS),
      'weird ä #1+%.txt': sha256('odd'),
    });
    // later ones leave out what has no bytes
    expect(empty).toBe(version === 'kserve-0.13' ? sha256('') : undefined);
  });

  test('says what is wrong', () => {
    const said = (name: string) => outcomes[name]?.error;
    expect(said('nothing there')).toMatch(/No model found in models\/none/);
    expect(said('no bucket')).toMatch(version === 'kserve-0.13' ? /NoSuchBucket/ : /not found|does not exist|404/i);
    expect(said('wrong secret')).toMatch(/SignatureDoesNotMatch|403|denied/i);
    expect(said('anonymous where nobody may')).toMatch(/AccessDenied|403|denied/i);
  });
});

test('what KServe asks for: the bucket first, a list of version 1, a look, ranges of 8 MiB of one ETag, no checksum of the whole', async () => {
  const said = await site.python(
    await client('kserve-0.20'),
    `
import boto3, json
s3 = boto3.resource("s3")
client = s3.meta.client
calls = []
client.meta.events.register("before-send.s3.*", lambda request, **_: calls.append((request.method, request.url.split("?", 1), {k.lower(): v for k, v in request.headers.items()})))
checks = []
client.meta.events.register("after-call.s3.GetObject", lambda parsed, **_: checks.append((parsed["ResponseMetadata"]["HTTPStatusCode"], [k for k in parsed["ResponseMetadata"]["HTTPHeaders"] if "checksum" in k], parsed["ETag"])))
client.head_bucket(Bucket="registry")
listed = {one.key: one.e_tag for one in s3.Bucket("registry").objects.filter(Prefix="models/bert/")}
s3.Bucket("registry").download_file("models/bert/1/model.bin", "by-hand")
text = lambda value: value.decode() if isinstance(value, bytes) else value
print(json.dumps({
  "order": [method for method, _, _ in calls],
  "list": calls[1][1][1],
  "etags": sorted({listed["models/bert/1/model.bin"], *(etag for _, _, etag in checks)}),
  "answers": [[status, fields] for status, fields, _ in checks],
  "ranges": sorted([text(fields["range"]), text(fields["if-match"])] for _, _, fields in calls if "range" in fields),
}))
`,
  );
  const { etags, ranges, ...rest } = JSON.parse(said) as { etags: string[]; ranges: [string, string][] };
  expect(etags).toHaveLength(1);
  expect(rest).toEqual({
    order: ['HEAD', 'GET', 'HEAD', 'GET', 'GET'],
    list: 'prefix=models%2Fbert%2F&encoding-type=url',
    answers: [1, 2].map(() => [206, []]),
  });
  expect(ranges).toEqual([
    ['bytes=0-8388607', etags[0]],
    ['bytes=8388608-', etags[0]],
  ]);
  expect((await readFile(at('by-hand'))).equals(WEIGHTS)).toBe(true);
});

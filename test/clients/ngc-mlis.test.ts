import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blake3 } from 'hash-wasm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { bytesOf, sha256 } from '../support/hub-sites.ts';
import { type NgcPlace, type NgcSites, SITE, startNgcSites } from '../support/ngc-sites.ts';
import { type S3Site, startS3Site } from '../support/s3-site.ts';
import { larder } from '../support/spawn-larder.ts';

/** What MLIS is told of a registry of type "ngc" (reference/mlis.md §1.1). */
const REGISTRY = { endpointUrl: SITE, bucket: 'nim', accessKey: 'meta', secretKey: 'nvapi-of-mlis' };
const SCOPE = `/v2/org/${REGISTRY.bucket}/team/${REGISTRY.accessKey}`;
const VERSION = '0.11.1+ba20956e-l40sx1';
const NAME = 'llama3-8b-instruct';
const SITE_KEY = { key: 'nvapi-of-the-site', orgs: ['nim'], teams: { nim: ['meta'] } };

const WEIGHTS = bytesOf((1 << 20) + 3, 'shard');
const PARTS = { 'config.json': Buffer.from('{"model_type":"llama"}'), 'model.safetensors': WEIGHTS };
const SUMS = await Promise.all(Object.entries(PARTS).map(async ([path, bytes]) => `${await blake3(bytes)}  ${path}\n`));
const FILES: Record<string, Buffer> = { 'checksums.blake3': Buffer.from(SUMS.join('')), ...PARTS };

interface Said {
  status: number;
  headers: string;
  body: Buffer;
}

let sites: NgcSites;
let mirror: NgcPlace;

beforeAll(async () => {
  const wish = { id: `nim/meta/${NAME}`, files: FILES, access: 'keyed' } as const;
  sites = await startNgcSites({
    wishes: [
      { ...wish, version: VERSION, refusesUrls: 400 },
      { ...wish, version: '1.0.0' },
      { id: 'nim/nvidia/other', version: '1', files: { 'x.bin': 'x' }, access: 'keyed' },
    ],
    items: [`{ ngc: "nim/meta/${NAME}:${VERSION}" }`],
    origin: { accounts: [SITE_KEY] },
    settings: { LARDER_NGC_API_KEY: SITE_KEY.key, LARDER_NGC_ORG: 'nim' },
  });
  mirror = await sites.cold({ LARDER_NGC_API_KEY: SITE_KEY.key, LARDER_NGC_ORG: 'nim' });
});
afterAll(() => sites?.close());

const PLACES: Record<string, () => NgcPlace> = {
  'through a mirror that holds nothing yet': () => mirror,
  'through the same mirror, warm': () => mirror,
  'behind the gap': () => sites.behindTheGap,
};
const fetched = () => sites.ngc.calls('/files/', 'cdn').length;

/** One request, from where the client stands. */
async function ask(place: NgcPlace, url: string, more: readonly string[] = []): Promise<Said> {
  const args = ['-sS', '-D', 'headers', '-o', 'body', '-w', '%{http_code}', ...more, url];
  const ran = await place.run('curl', args, {
    look: async (folder) =>
      [await readFile(join(folder, 'headers'), 'utf8'), await readFile(join(folder, 'body'))] as const,
  });
  return { status: Number(ran.stdout), headers: ran.found[0], body: ran.found[1] };
}

async function json(place: NgcPlace, path: string, more: readonly string[] = []) {
  const key = ['-H', `Authorization: Bearer ${REGISTRY.secretKey}`];
  const { status, body } = await ask(place, REGISTRY.endpointUrl + path, [...key, ...more]);
  return { status, ...(JSON.parse(body.toString()) as Record<string, never>) } as Record<string, unknown>;
}

const query = (value: unknown) => `?q=${encodeURIComponent(JSON.stringify(value))}`;

describe.each(Object.entries(PLACES))('a registry of type ngc in MLIS, %s', (where, place) => {
  const held = where === 'behind the gap';

  test('its key is one that the endpoint knows', async () => {
    const form = ['--data-urlencode', `credentials=${REGISTRY.secretKey}`];
    const { status, body } = await ask(place(), `${REGISTRY.endpointUrl}/v3/keys/get-caller-info`, form);
    expect(status).toBe(200);
    expect(JSON.parse(body.toString())).toMatchObject({ type: 'SERVICE_KEY', orgName: 'nim' });
  });

  test('its models are listed: those of its org and team, no others', async () => {
    const wish = { query: 'resourceId:nim/meta/*', page: 0, pageSize: 100 };
    const found = await json(place(), `/v2/search/org/nim/team/meta/resources/MODEL${query(wish)}`);
    const groups = found.results as { groupValue: string; resources: { resourceId: string }[] }[];
    const models = groups.find(({ groupValue }) => groupValue === 'MODEL')!.resources;
    expect(models.map(({ resourceId }) => resourceId)).toEqual([`nim/meta/${NAME}`]);
  });

  test('a model is told of, then its versions, then the files of one', async () => {
    const model = await json(place(), `${SCOPE}/models/${NAME}`);
    expect(model).toMatchObject({ status: 200, model: { name: NAME, orgName: 'nim', teamName: 'meta' } });
    const { modelVersions } = await json(place(), `${SCOPE}/models/${NAME}/versions?page-size=1000`);
    const versions = (modelVersions as { versionId: string }[]).map(({ versionId }) => versionId);
    expect(versions.sort()).toEqual(held ? [VERSION] : [VERSION, '1.0.0'].sort());
    const version = await json(place(), `${SCOPE}/models/${NAME}/versions/${VERSION}`);
    expect(version).toMatchObject({ modelVersion: { status: 'UPLOAD_COMPLETE' } });
    const { modelFiles } = await json(place(), `${SCOPE}/models/${NAME}/versions/${VERSION}/files?page-size=1000`);
    expect(modelFiles).toMatchObject(
      Object.entries(FILES).map(([path, bytes]) => ({
        path,
        sizeInBytes: bytes.length,
        sha256_base64: Buffer.from(sha256(bytes), 'hex').toString('base64'),
      })),
    );
  });

  test('its container has the map of the files, which NGC refuses, and each of them without a key', async () => {
    const map = await json(place(), `${SCOPE}/models/${NAME}/${VERSION}/files`);
    expect(map).toMatchObject({ status: 200, paginationInfo: { totalPages: 1 }, filepath: Object.keys(FILES) });
    const found: Record<string, string> = {};
    for (const [index, url] of (map.urls as string[]).entries()) {
      const { status, body } = await ask(place(), url);
      expect(status).toBe(200);
      found[(map.filepath as string[])[index]!] = sha256(body);
    }
    expect(found).toEqual(Object.fromEntries(Object.entries(FILES).map(([path, bytes]) => [path, sha256(bytes)])));
  });

  test('a file has the ETag that NGC gave it, by which NIM names it', async () => {
    const etag = sites.ngc.work(`nim/meta/${NAME}`).versions.get(VERSION)!.files.get('config.json')!.etag;
    const url = `${SITE}${SCOPE}/models/${NAME}/versions/${encodeURIComponent(VERSION)}/files/config.json`;
    const { status, headers } = await ask(place(), url, ['-I']);
    expect(status).toBe(200);
    expect(headers.toLowerCase()).toContain(`\netag: ${etag}\r\n`);
  });
});

test('all of it cost NGC one download of each file', () => {
  // the packer of the bundle fetched them, too
  expect(fetched()).toBe(2 * Object.keys(FILES).length);
});

test('nothing tried to leave the gap', async () => {
  expect(await sites.escaped()).toBe(0);
});

describe('aioli registry upload-nim', () => {
  const model = `cache/ngc/hub/models--nim--meta--${NAME}`;
  let site: S3Site;

  beforeAll(async () => {
    site = await startS3Site();
    // what a NIM has in its cache, as Larder makes it
    const wish = ['--model', `nim/meta/${NAME}:${VERSION}`, '--store', join(sites.folder, 'site')];
    const made = await larder(['nim', 'export', join(site.folder, 'cache'), ...wish]);
    expect(`${made.code} ${made.code === 0 ? '' : made.stderr}`).toBe('0 ');
    await site.run(join(await client('awscli'), 'aws'), ['s3', 'mb', 's3://nim-store']);
  });
  afterAll(() => site?.close());

  /** What is in the bucket: the keys as they are, and sha256 of each. */
  async function held(): Promise<Record<string, string>> {
    const script = `
import boto3, hashlib, json
s3 = boto3.client("s3")
keys = [one["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="nim-store") for one in page.get("Contents", [])]
print(json.dumps({key: hashlib.sha256(s3.get_object(Bucket="nim-store", Key=key)["Body"].read()).hexdigest() for key in keys}))
`;
    return JSON.parse(await site.python(await client('awscli'), script)) as Record<string, string>;
  }
  const upload = async (target: string) =>
    site.run(join(await client('aioli'), 'aioli'), ['registry', 'upload-nim', model, target]);
  const keys = (prefix: string) =>
    Object.fromEntries(
      Object.entries(FILES).map(([path, bytes]) => [
        prefix + encodeURIComponent(`nim/meta/${NAME}:${VERSION}?file=${path}`),
        sha256(bytes),
      ]),
    );

  test('writes into a bucket under the keys that NIM asks for, their escapes kept', async () => {
    await upload('s3://nim-store/models');
    expect(await held()).toEqual(keys('models/'));
  });

  test('writes them again, and beside them those that begin with a slash, as it does for a bucket alone', async () => {
    await upload('s3://nim-store/models');
    await upload('s3://nim-store');
    expect(await held()).toEqual({ ...keys('models/'), ...keys('/') });
  });
});

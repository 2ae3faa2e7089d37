import { createHmac } from 'node:crypto';
import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sign } from '../../../shared/storage/sigv4.ts';
import { KEY, type Site, startSite } from './support.ts';

let site: Site;
const Bucket = 'forms';

beforeAll(async () => {
  site = await startSite();
  await site.s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => site?.close());

const SOON = () => new Date(Date.now() + 60_000).toISOString();
const FREELY: unknown[] = [{ bucket: Bucket }, ['starts-with', '$key', '']];

const encoded = (policy: object) => Buffer.from(JSON.stringify(policy)).toString('base64');

/** Fields of a form that is signed with version 2. */
function signed(policy: object | string, secret = KEY.secretAccessKey): Record<string, string> {
  const text = typeof policy === 'string' ? policy : encoded(policy);
  const signature = createHmac('sha1', secret).update(text).digest('base64');
  return { AWSAccessKeyId: KEY.accessKeyId, policy: text, signature };
}

async function post(fields: Record<string, string>, body: string | undefined = 'content', name = 'file.txt') {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  if (body !== undefined) form.append('file', new Blob([body]), name);
  const answer = await fetch(`${site.url}/${Bucket}`, { method: 'POST', body: form, redirect: 'manual' });
  const text = await answer.text();
  return { status: answer.status, text, headers: answer.headers, code: /<Code>(\w+)/.exec(text)?.[1] };
}

const read = async (Key: string) => {
  const { Body } = await site.s3.send(new GetObjectCommand({ Bucket, Key }));
  return Body!.transformToString();
};

describe('a form', () => {
  test('becomes an object, named after its file, with its fields, tags and type', async () => {
    const conditions = [
      ...FREELY,
      ['eq', '$Content-Type', 'text/x'],
      ['starts-with', '$x-amz-meta-one', ''],
      ['starts-with', '$tagging', '<Tagging'],
    ];
    const tagging = '<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>';
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a form says it so
    const fields = { key: 'in/${filename}', 'Content-Type': 'text/x', 'x-amz-meta-one': '1', tagging };
    const { status } = await post({ ...fields, ...signed({ expiration: SOON(), conditions }) }, 'hello', 'ä b.txt');
    expect(status).toBe(204);
    expect(await read('in/ä b.txt')).toBe('hello');
    const head = await site.s3.send(new HeadObjectCommand({ Bucket, Key: 'in/ä b.txt' }));
    expect(head).toMatchObject({ ContentType: 'text/x', Metadata: { one: '1' }, TagCount: 1 });
  });

  test('whose fields all have filenames, as those of Python’s requests, is one', async () => {
    const fields = { key: 'python', ...signed({ expiration: SOON(), conditions: FREELY }) };
    const form = new FormData();
    for (const [field, value] of Object.entries(fields)) form.append(field, new Blob([value]), field);
    form.append('file', new Blob(['from python']), 'file');
    expect((await fetch(`${site.url}/${Bucket}`, { method: 'POST', body: form })).status).toBe(204);
    expect(await read('python')).toBe('from python');
  });

  test('is held to its policy under the name that its file gives it', async () => {
    const conditions = [{ bucket: Bucket }, ['starts-with', '$key', 'cat']];
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a form says it so
    const fields = { key: '${filename}', ...signed({ expiration: SOON(), conditions }) };
    expect((await post(fields, 'purr', 'cat.txt')).status).toBe(204);
    expect(await read('cat.txt')).toBe('purr');
    expect(await post(fields, 'woof', 'dog.txt')).toMatchObject({ status: 403, code: 'AccessDenied' });
  });

  test('may be signed with version 4', async () => {
    const stamp = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
    const date = stamp.slice(0, 8);
    const scope = { region: 'us-east-1', service: 's3' };
    const own = {
      'x-amz-algorithm': 'AWS4-HMAC-SHA256',
      'x-amz-credential': `${KEY.accessKeyId}/${date}/us-east-1/s3/aws4_request`,
      'x-amz-date': stamp,
    };
    const conditions = [...FREELY, ...Object.entries(own).map(([name, value]) => ({ [name]: value }))];
    const policy = encoded({ expiration: SOON(), conditions });
    const signature = sign(policy, { ...KEY, ...scope }, date);
    const fields = { key: 'four', ...own, policy, 'x-amz-signature': signature };
    expect((await post(fields)).status).toBe(204);
    expect(await read('four')).toBe('content');
    expect(await post({ ...fields, 'x-amz-signature': 'f'.repeat(64) })).toMatchObject({
      code: 'SignatureDoesNotMatch',
    });
  });

  test('is answered as it wishes: 201 with a document, or a redirect', async () => {
    const wish = (more: Record<string, string>) => {
      const conditions = [...FREELY, ...Object.keys(more).map((name) => ['starts-with', `$${name}`, ''])];
      return post({ key: 'k', ...more, ...signed({ expiration: SOON(), conditions }) });
    };
    const created = await wish({ success_action_status: '201' });
    expect(created.status).toBe(201);
    expect(created.text).toContain('<Key>k</Key>');
    const redirected = await wish({ success_action_redirect: 'https://site.test/done?x=1' });
    expect(redirected.status).toBe(303);
    expect(redirected.headers.get('location')).toMatch(/^https:\/\/site\.test\/done\?x=1&bucket=forms&key=k&etag=/);
  });

  const bad: [string, () => Record<string, string>, string][] = [
    ['whose policy is over', () => signed({ expiration: '2020-01-01T00:00:00Z', conditions: FREELY }), 'AccessDenied'],
    [
      'whose policy is for another key',
      () => signed({ expiration: SOON(), conditions: [{ bucket: Bucket }, { key: 'other' }] }),
      'AccessDenied',
    ],
    [
      'whose policy is for another bucket',
      () => signed({ expiration: SOON(), conditions: [{ bucket: 'other' }, { key: 'k' }] }),
      'AccessDenied',
    ],
    [
      'with a field that its policy does not name',
      () => ({ 'x-amz-meta-y': '1', ...signed({ expiration: SOON(), conditions: FREELY }) }),
      'AccessDenied',
    ],
    ['without a signature', () => ({ policy: encoded({ expiration: SOON(), conditions: FREELY }) }), 'InvalidArgument'],
    ['without a policy at all', () => ({}), 'AccessDenied'],
    [
      'with a wrong signature',
      () => signed({ expiration: SOON(), conditions: FREELY }, 'wrong'),
      'SignatureDoesNotMatch',
    ],
    ['whose policy is no JSON', () => signed(Buffer.from('{').toString('base64')), 'InvalidPolicyDocument'],
    ['whose policy has no end', () => signed({ conditions: FREELY }), 'InvalidPolicyDocument'],
    ['whose policy has no conditions', () => signed({ expiration: SOON() }), 'InvalidPolicyDocument'],
    ['whose policy ends at no date', () => signed({ expiration: 'soon', conditions: FREELY }), 'InvalidPolicyDocument'],
    [
      'whose policy has a test that is none',
      () => signed({ expiration: SOON(), conditions: [['is', '$key', 'x']] }),
      'InvalidPolicyDocument',
    ],
    [
      'that is too long',
      () => signed({ expiration: SOON(), conditions: [...FREELY, ['content-length-range', 0, 3]] }),
      'EntityTooLarge',
    ],
    [
      'that is too short',
      () => signed({ expiration: SOON(), conditions: [...FREELY, ['content-length-range', 100, 200]] }),
      'EntityTooSmall',
    ],
  ];
  test.each(bad)('%s is refused, and nothing is kept', async (_what, fields, code) => {
    expect(await post({ key: 'refused', ...fields() })).toMatchObject({ code });
    await expect(read('refused')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('that has no key, no file, or is none, is told so', async () => {
    const fields = signed({ expiration: SOON(), conditions: FREELY });
    expect(await post(fields)).toMatchObject({ status: 400, code: 'InvalidArgument' });
    const form = new FormData();
    form.append('key', 'x');
    const noFile = await fetch(`${site.url}/${Bucket}`, { method: 'POST', body: form });
    expect(await noFile.text()).toContain('exactly one file upload');
    const none = await fetch(`${site.url}/${Bucket}`, { method: 'POST', body: 'x' });
    expect([none.status, await none.text()]).toEqual([412, expect.stringContaining('multipart/form-data')]);
  });
});

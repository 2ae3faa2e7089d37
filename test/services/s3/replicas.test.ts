import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { giveUpOld } from '../../../services/s3/upload-sweep.ts';
import { temporaryFolder } from '../../support/bundles.ts';
import { type Site, startSite } from './support.ts';

const Bucket = 'shared';

/** Two Larders over one directory: each knows nothing of what the other is doing. */
describe('two processes over one store', () => {
  let folder: { path: string; remove(): Promise<void> };
  let sites: [Site, Site];

  beforeAll(async () => {
    folder = await temporaryFolder();
    sites = [await startSite({}, folder.path), await startSite({}, folder.path)];
    await sites[0].s3.send(new CreateBucketCommand({ Bucket }));
  });

  afterAll(async () => {
    for (const site of sites ?? []) await site.close();
    await folder?.remove();
  });

  const text = async (site: Site, Key: string) =>
    (await site.s3.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();
  const statusOf = (work: Promise<unknown>): Promise<number> =>
    work.then(
      () => 200,
      (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode,
    );
  /** Eight writers at each of the two, all at once: what each was told, and what each wrote. */
  const race = (write: (site: Site, body: string) => Promise<unknown>) =>
    Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        const body = `writer ${index}`;
        return { body, status: await statusOf(write(sites[index % 2]!, body)) };
      }),
    );

  test('of puts that ask for absence one wins, and its bytes stand', async () => {
    const Key = 'once';
    const told = await race((site, Body) =>
      site.s3.send(new PutObjectCommand({ Bucket, Key, Body, IfNoneMatch: '*' })),
    );
    const winners = told.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(told.filter(({ status }) => status === 412)).toHaveLength(15);
    expect(await text(sites[0], Key)).toBe(winners[0]!.body);
    expect(await text(sites[1], Key)).toBe(winners[0]!.body);
  });

  test('of puts over one etag one wins, and its bytes stand', async () => {
    const Key = 'matched';
    const { ETag } = await sites[0].s3.send(new PutObjectCommand({ Bucket, Key, Body: 'start' }));
    const told = await race((site, Body) => site.s3.send(new PutObjectCommand({ Bucket, Key, Body, IfMatch: ETag! })));
    const winners = told.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(await text(sites[1], Key)).toBe(winners[0]!.body);
  });

  test('of a put and a deletion over one etag one wins', async () => {
    for (let turn = 0; turn < 8; turn += 1) {
      const Key = `gone-${turn}`;
      const { ETag } = await sites[0].s3.send(new PutObjectCommand({ Bucket, Key, Body: 'start' }));
      const [put, deleted] = await Promise.all([
        statusOf(sites[0].s3.send(new PutObjectCommand({ Bucket, Key, Body: 'next', IfMatch: ETag! }))),
        statusOf(sites[1].s3.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: ETag! }))),
      ]);
      expect([put, deleted].filter((status) => status === 200)).toHaveLength(1);
      expect(await statusOf(text(sites[1], Key))).toBe(put === 200 ? 200 : 404);
    }
  });

  test('of completions that ask for absence one wins, and its object stands', async () => {
    const Key = 'completed';
    const begun = await Promise.all(
      sites.map(async ({ s3 }, index) => {
        const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
        const part = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: `upload ${index}` });
        return { UploadId, ETag: (await s3.send(part)).ETag };
      }),
    );
    // each is completed where the other was begun
    const told = await Promise.all(
      begun.map(({ UploadId, ETag }, index) => {
        const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
        const done = new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload, IfNoneMatch: '*' });
        return statusOf(sites[1 - index]!.s3.send(done));
      }),
    );
    expect(told.toSorted()).toEqual([200, 412]);
    expect(await text(sites[0], Key)).toBe(`upload ${told.indexOf(200)}`);
  });

  test('a part that comes to one while its upload ends at the other is swept an hour later, and no other part', async () => {
    const [{ s3, larder }] = sites;
    const context = larder.context('s3') as Parameters<typeof giveUpOld>[0];
    const begun = async (Key: string) => {
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' }));
      return { UploadId, ETag, parts: () => context.catalog.list(`part/${UploadId}/`) };
    };
    const [ended, live] = [await begun('ended'), await begun('live')];
    const [late] = await ended.parts();
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: ended.ETag }] };
    const upload = { Bucket, Key: 'ended', UploadId: ended.UploadId, MultipartUpload };
    await sites[1].s3.send(new CompleteMultipartUploadCommand(upload));
    expect(await ended.parts()).toEqual([]);
    await context.catalog.put(late!);
    await giveUpOld(context);
    expect(await ended.parts()).toHaveLength(1);
    await giveUpOld({ ...context, now: () => Date.now() + 2 * 3_600_000 });
    expect([await ended.parts(), await live.parts()].map(({ length }) => length)).toEqual([0, 1]);
  });

  test('tags that are set while the object is replaced never bring the old one back', async () => {
    const Key = 'tagged';
    const TagSet = [{ Key: 'stage', Value: 'gold' }];
    await sites[0].s3.send(new PutObjectCommand({ Bucket, Key, Body: '0' }));
    for (let turn = 1; turn <= 12; turn += 1) {
      await Promise.all([
        sites[0].s3.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } })),
        sites[1].s3.send(new PutObjectCommand({ Bucket, Key, Body: `${turn}`, IfMatch: '*' })),
      ]);
      expect(await text(sites[0], Key)).toBe(`${turn}`);
    }
    await sites[1].s3.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }));
    expect((await sites[0].s3.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet).toEqual(TagSet);
  });
});

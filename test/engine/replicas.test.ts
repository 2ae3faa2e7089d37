import { randomBytes, randomInt } from 'node:crypto';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, makeBucket } from '../support/engines.ts';
import { type OriginServer, startOriginServer } from '../support/origin-server.ts';
import { PackageIndex } from '../support/package-index.ts';
import { type Replica, type Replicas, startReplicas } from '../support/replicas.ts';
import { startSeaweedfs } from '../support/seaweedfs.ts';
import { buildWheel } from '../support/wheels.ts';
import { Bucket, contest, heard, statusOf, textOf, UNHEARD, Writer } from './replica-load.ts';

const WRITERS = 4;
const KILLS = 4;
/** Milliseconds that the load may take. */
const LIMIT = 400_000;

describe('three replicas over one bucket of SeaweedFS', () => {
  let engine: Engine;
  let origin: OriginServer;
  let replicas: Replicas;
  let wheels: { path: string; bytes: Buffer }[];
  const any = (): Replica => replicas.all[randomInt(replicas.all.length)]!;

  beforeAll(async () => {
    engine = await startSeaweedfs();
    origin = await startOriginServer();
    const index = new PackageIndex(origin);
    wheels = Array.from({ length: 20 }, (_, count) => {
      const files = { 'data.bin': randomBytes(100_000) };
      const { filename, bytes } = index.offer(buildWheel({ name: 'sample', version: `1.${count}`, files }));
      return { path: `/files/pypi/sample/${filename}`, bytes };
    });
    const env = { LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: index.url }]) };
    replicas = await startReplicas(3, await makeBucket(engine, 'site'), env);
    await any().s3.send(new CreateBucketCommand({ Bucket }));
  });

  afterAll(async () => {
    await replicas?.close();
    await origin?.close();
    await engine?.close();
  });

  test.each(['absent', 'etag'] as const)('of writers that ask for %s at all of them one wins', async (condition) => {
    for (let round = 0; round < 10; round += 1) await contest(replicas.all, condition);
  });

  test('what one was told is at once what the others say', async () => {
    const [one, other, third] = replicas.all as [Replica, Replica, Replica];
    const Key = 'at-once';
    for (const Body of ['first', 'second', 'third']) {
      await one.s3.send(new PutObjectCommand({ Bucket, Key, Body }));
      expect([await textOf(other, Key), await textOf(third, Key)]).toEqual([Body, Body]);
    }
  });

  test('an upload is begun at one, sent in parts to the others, and completed at any', async () => {
    const [one, other, third] = replicas.all as [Replica, Replica, Replica];
    const Key = 'in-parts';
    const bodies = [randomBytes(5 << 20), randomBytes(5 << 20), randomBytes(1000)];
    const { UploadId } = await one.s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const Parts = await Promise.all(
      bodies.map(async (Body, index) => {
        const part = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: index + 1, Body });
        return { PartNumber: index + 1, ETag: (await replicas.all[index]!.s3.send(part)).ETag };
      }),
    );
    // a part that is sent again counts as it came last, whoever took it
    bodies[0] = randomBytes(5 << 20);
    const again = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: bodies[0] });
    Parts[0]!.ETag = (await third.s3.send(again)).ETag;
    const complete = new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } });
    const { ETag } = await other.s3.send(complete);
    // and again, at one that did not do it
    expect((await one.s3.send(complete)).ETag).toBe(ETag);
    for (const { s3 } of replicas.all) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      expect(Buffer.concat(bodies).equals(await Body!.transformToByteArray())).toBe(true);
    }
  });

  test('a bucket that is not empty at another is not deleted', async () => {
    const [one, other] = replicas.all as [Replica, Replica];
    await one.s3.send(new CreateBucketCommand({ Bucket: 'filled' }));
    await one.s3.send(new PutObjectCommand({ Bucket: 'filled', Key: 'x', Body: 'x' }));
    expect(await statusOf(other.s3.send(new DeleteBucketCommand({ Bucket: 'filled' })))).toBe(409);
  });

  test('killed and started again at random under load, they give right answers throughout', async () => {
    const writers = Array.from({ length: WRITERS }, () => new Writer(any));
    let answers = 0;
    let over = false;
    const end = Date.now() + LIMIT;
    const going = async (turn: () => Promise<number>) => {
      while (!over && Date.now() < end) answers += await turn();
    };
    const read = async () => {
      const { path, bytes } = wheels[randomInt(wheels.length)]!;
      return (await isRight(any().pypi + path, bytes)) + (await isRight(`${any().pypi}/simple/sample/`));
    };
    const load = Promise.all([
      ...writers.map((writer) => going(() => writer.turn())),
      ...Array.from({ length: 2 }, () => going(read)),
      going(() => contest(replicas.all, randomInt(2) === 0 ? 'absent' : 'etag')),
    ]);
    // whatever goes wrong in it ends the wait below, too
    const failed = load.then(() => {});
    const more = async (count: number) => {
      const until = answers + count;
      while (answers < until && Date.now() < end)
        await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, 20))]);
    };
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        await more(60);
        const replica = any();
        await replica.kill();
        await more(30);
        await replica.restart();
      }
      await more(60);
      expect(Date.now(), 'all in time').toBeLessThan(end);
    } finally {
      over = true;
      await load;
    }
    const names = writers.flatMap((writer) => [...writer.names]);
    expect(names.length).toBeGreaterThan(WRITERS);
    for (const [name, possible] of names)
      for (const replica of replicas.all) expect(possible).toContain(await textOf(replica, name));
  }, 460_000);
});

/** 1 for a right answer, 0 for none. Throws for a wrong one. */
async function isRight(url: string, bytes?: Buffer): Promise<number> {
  const ask = async () => {
    const answer = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
    return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) };
  };
  const answer = await heard(ask());
  if (answer === UNHEARD) return 0;
  expect([url, answer.status]).toEqual([url, 200]);
  if (bytes) expect(answer.body.equals(bytes)).toBe(true);
  else expect(answer.body.toString().match(/\.whl</g)).toHaveLength(20);
  return 1;
}

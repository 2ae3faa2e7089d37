import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Algorithm, BYTES, digestOf, fresh } from './content.ts';
import { type Answer, locationOf, newName, refusal, withQuery } from './registry.ts';
import { basic, type Use } from './site.ts';

/** spec.md#pushing-a-blob-in-chunks, and on main spec.md#cancel-a-blob-upload */
export function uploadConformance(use: Use): void {
  const name = newName('uploads');
  const writer = () => use().writer;
  const chunk = (location: string, bytes: Buffer, start: number | string, method = 'PATCH') => {
    const range = typeof start === 'string' ? start : `${start}-${start + bytes.length - 1}`;
    return writer().ask(method, location, { body: bytes, headers: { 'content-type': BYTES, 'content-range': range } });
  };
  const finish = (location: string, blob: Buffer, algorithm: Algorithm = 'sha256', body?: Buffer) =>
    writer().ask('PUT', withQuery(location, `digest=${digestOf(blob, algorithm)}`), { body });
  const pulled = async (answer: Answer) => (await use().anybody.get(locationOf(answer, 201))).bytes;
  const placeOf = async (location: string) => {
    const { status, headers } = await writer().get(location);
    return [status, headers.range];
  };

  describe('pushing a blob in chunks', () => {
    // "The response for each successful chunk upload MUST be `202 Accepted`, and MUST have the following headers:
    // Location, Range: 0-<end-of-range>"; "the position of the last uploaded byte of the blob"
    test.each<[string, Algorithm, string]>([
      ['a blob', 'sha256', ''],
      ['one of a sha512 that was announced', 'sha512', '?digest-algorithm=sha512'],
      ['one of a sha512 that was not', 'sha512', ''],
      ['one that is called by its sha256 in the end, after all', 'sha256', '?digest-algorithm=sha512'],
    ])('takes them one after the other, the last one by PATCH: %s', async (_what, algorithm, query) => {
      const blob = fresh(300_000);
      let location = await writer().start(name, query);
      for (let at = 0; at < blob.length; at += 100_000) {
        const answer = await chunk(location, blob.subarray(at, at + 100_000), at);
        location = locationOf(answer, 202);
        expect(answer.headers.range).toBe(`0-${at + 99_999}`);
      }
      expect((await pulled(await finish(location, blob, algorithm))).equals(blob)).toBe(true);
    });

    // "The final chunk MAY be uploaded using a `PATCH` request or it MAY be uploaded in the closing `PUT` request."
    test.each(['said', 'not said'])('takes the last one with the PUT, its place %s', async (said) => {
      const blob = fresh(1000);
      const location = locationOf(await chunk(await writer().start(name), blob.subarray(0, 600), 0), 202);
      const closing = withQuery(location, `digest=${digestOf(blob)}`);
      const last = blob.subarray(600);
      const answer =
        said === 'said' ? await chunk(closing, last, 600, 'PUT') : await finish(location, blob, 'sha256', last);
      expect((await pulled(answer)).equals(blob)).toBe(true);
    });

    // "If a chunk is uploaded out of order, the registry MUST respond with a `416 Requested Range Not Satisfiable` code.
    // A GET request may be used to retrieve the current valid offset and upload location."
    test.each([
      ['that leaves a gap', 20],
      ['that was there before', 0],
      ['that overlaps', 5],
    ])('refuses one %s with 416, says where to go on, and goes on there', async (_what, wrong) => {
      const blob = fresh(30);
      const location = locationOf(await chunk(await writer().start(name), blob.subarray(0, 10), 0), 202);
      expect((await chunk(location, blob.subarray(wrong, wrong + 10), wrong)).status).toBe(416);
      const status = await writer().get(location);
      // "MUST be a `204 No Content` response code, and MUST have the following headers: Location, Range"
      expect([status.status, status.headers.range]).toEqual([204, '0-9']);
      const next = locationOf(await chunk(locationOf(status, 204), blob.subarray(10), 10), 202);
      expect((await pulled(await finish(next, blob))).equals(blob)).toBe(true);
    });

    // "The first chunk's range MUST begin with `0`."
    test('refuses a first one that does not begin at 0', async () => {
      const location = await writer().start(name);
      expect((await chunk(location, fresh(10), 10)).status).toBe(416);
      expect((await writer().get(location)).status).toBe(204);
    });

    // "If the final chunk is uploaded out of order, the registry MUST respond with a `416`" (main)
    test('refuses a last one out of its place, and takes it in its place', async () => {
      const blob = fresh(20);
      const location = locationOf(await chunk(await writer().start(name), blob.subarray(0, 10), 0), 202);
      const closing = withQuery(location, `digest=${digestOf(blob)}`);
      expect((await chunk(closing, blob.subarray(10), 11, 'PUT')).status).toBe(416);
      expect((await pulled(await chunk(closing, blob.subarray(10), 10, 'PUT'))).equals(blob)).toBe(true);
    });

    // "It MUST match the following regular expression: ^[0-9]+-[0-9]+$"; "MUST be inclusive on both ends"
    test.each(['0-10', '0-8', 'ten', '9-0', '-9', '0-'])(
      'refuses a place that its length belies: "%s"',
      async (range) => {
        const location = await writer().start(name);
        expect([400, 416]).toContain((await chunk(location, fresh(10), range)).status);
        expect(await placeOf(location)).toEqual([204, '0-0']);
      },
    );

    test('takes what is streamed, without a place or a length, behind what is there', async () => {
      const blob = fresh(200_000);
      let location = await writer().start(name);
      for (const part of [blob.subarray(0, 90_000), blob.subarray(90_000)]) {
        const stream = [part.subarray(0, 40_000), part.subarray(40_000)];
        location = locationOf(
          await writer().ask('PATCH', location, { stream, headers: { 'content-type': BYTES } }),
          202,
        );
      }
      expect(await placeOf(location)).toEqual([204, '0-199999']);
      expect((await pulled(await finish(location, blob))).equals(blob)).toBe(true);
    });

    test('goes on after a connection that broke, from where the registry says', async () => {
      const blob = fresh(400_000);
      const location = await writer().start(name);
      await broken(location, blob, 150_000);
      const [, range] = await placeOf(location);
      const next = Number(/^0-(\d+)$/.exec(String(range))![1]) + 1;
      expect(next).toBeGreaterThan(1);
      const rest = await chunk(location, blob.subarray(next), next);
      expect((await pulled(await finish(locationOf(rest, 202), blob))).equals(blob)).toBe(true);
    });

    test('is over with its PUT, right or wrong', async () => {
      const blob = fresh(10);
      for (const said of [blob, fresh(10)]) {
        const location = locationOf(await chunk(await writer().start(name), blob, 0), 202);
        expect((await finish(location, said)).status).toBe(said === blob ? 201 : 400);
        expect(refusal(await writer().get(location))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
        expect(refusal(await finish(location, blob))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
      }
    });

    // "if the client provided digest … uses an unsupported algorithm, the registry SHOULD respond with … `400`" (main)
    test('refuses to begin for an algorithm that it does not know', async () => {
      const answer = await writer().ask('POST', `/v2/${name}/blobs/uploads/?digest-algorithm=md5`);
      expect(refusal(answer)).toEqual([400, 'DIGEST_INVALID']);
    });

    test('belongs to its repository, and to those who may write', async () => {
      const location = await writer().start(name);
      const elsewhere = location.replace(name, newName('elsewhere'));
      expect(refusal(await writer().get(elsewhere))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE'])
        expect((await use().anybody.ask(method, location)).status).toBe(401);
      expect(await placeOf(location)).toEqual([204, '0-0']);
    });
  });

  describe('an upload', () => {
    // "If successful, the response SHOULD be a `204 No Content` response code."
    test.each(['before', 'after'])('may be cancelled, %s its first chunk, and is gone', async (when) => {
      let location = await writer().start(name);
      if (when === 'after') location = locationOf(await chunk(location, fresh(10), 0), 202);
      expect((await writer().ask('DELETE', location)).status).toBe(204);
      for (const method of ['GET', 'PATCH', 'DELETE'])
        expect(refusal(await writer().ask(method, location))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
    });

    // "the server SHOULD eventually timeout unfinished uploads"
    test('is given up after a day without a request', async () => {
      const [left, used] = [await writer().start(name), await writer().start(name)];
      use().clock.now += 80_000_000;
      expect(await placeOf(used)).toEqual([204, '0-0']);
      use().clock.now += 80_000_000;
      await writer().start(name);
      expect([(await writer().get(left)).status, (await writer().get(used)).status]).toEqual([404, 204]);
    });

    test('that was never begun is not there', async () => {
      const location = `/v2/${name}/blobs/uploads/00000000-0000-4000-8000-000000000000`;
      expect(refusal(await chunk(location, fresh(10), 0))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
    });
  });

  /** A PATCH whose sender leaves after so many bytes. */
  async function broken(location: string, blob: Buffer, after: number): Promise<void> {
    const { hostname, port } = new URL(writer().url);
    const headers = {
      authorization: basic(use().secrets.writer),
      'content-length': blob.length,
      'content-range': `0-${blob.length - 1}`,
    };
    const sent = request({ hostname, port, path: location, method: 'PATCH', headers });
    sent.on('error', () => undefined);
    await new Promise<void>((resolve) => sent.write(blob.subarray(0, after), () => resolve()));
    // what was written has to arrive before the connection goes
    await sleep(100);
    sent.destroy();
    await sleep(50);
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { objectKey } from '../../services/s3/keys.ts';
import { digestOf } from '../../shared/model/digest.ts';
import { openStore } from '../../shared/storage/store.ts';
import { median, memoryOf, percentile } from './measure.ts';
import { writeLayer } from './oci-registries.ts';
import { BUCKET, type Measured, startLarderOver } from './s3-engines.ts';
import type { Row } from './table.ts';

const KEYS = 100_000;
const SIZE = 1_000_000_000;
const TRANSFERS = 64;

/** What grows: lists of many keys, a copy of something large, many large transfers side by side. */
export async function benchS3Scale(): Promise<Row[]> {
  return [
    ...(await overStore(fillBucket, lists)),
    ...(await overStore(async () => undefined, transfers)),
    ...(await overStore(async () => undefined, largeCopy)),
  ];
}

async function overStore(
  fill: (store: string) => Promise<void>,
  measure: (larder: Measured, folder: string) => Promise<Row[]>,
): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const larder = await startLarderOver(folder, fill);
  try {
    return await measure(larder, folder);
  } finally {
    await larder.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Names of one small object, as a hundred thousand puts would have left them. */
async function fillBucket(location: string): Promise<void> {
  const store = await openStore(location, { now: Date.now });
  const bytes = Buffer.from('listed');
  const digest = digestOf(bytes);
  const at = new Date();
  const facts = { digest, size: bytes.length, mediaType: 'text/plain', headers: {}, etag: '"00"', origin: 'upload' };
  const times = { storedAt: at.toISOString(), checkedAt: at.toISOString(), lastModified: at.toUTCString() };
  const keyOf = (index: number) => `many/${String(index % 100).padStart(2, '0')}/object-${index}`;
  await store
    .catalog('s3')
    .putMany(
      Array.from({ length: KEYS }, (_, index) => ({ key: objectKey(BUCKET, keyOf(index)), ...facts, ...times })),
    );
  await store.close();
}

async function lists(larder: Measured): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [what, query, pages] of [
    ['pages of 1,000', { 'list-type': '2', prefix: 'many/' }, KEYS / 1000],
    ['version 1, pages of 1,000', { prefix: 'many/', 'encoding-type': 'url' }, KEYS / 1000],
    ['by delimiter, 100 folders', { 'list-type': '2', prefix: 'many/', delimiter: '/' }, 1],
  ] as const) {
    const times = await walk(larder, query, pages);
    const sorted = [...times].sort((one, other) => one - other);
    const most = percentile(sorted, 1);
    rows.push({
      what: `list of ${KEYS} keys, ${what}: median of ${times.length} (p99 ${percentile(sorted, 0.99).toFixed(0)} ms)`,
      ...{ ours: `${median(times).toFixed(1)} ms`, peer: '', wanted: 'each ≤ 50 ms', met: most <= 50 },
    });
  }
  return rows;
}

/** From the first page to the last; @returns milliseconds of each */
async function walk(larder: Measured, query: Record<string, string>, pages: number): Promise<number[]> {
  const times: number[] = [];
  let next: Record<string, string> = {};
  do {
    const started = performance.now();
    const answer = await fetch(larder.presigned('GET', '', Object.entries({ ...query, ...next })));
    const text = await answer.text();
    times.push(performance.now() - started);
    if (answer.status !== 200) throw new Error(`${answer.status}: ${text.slice(0, 500)}`);
    const [, token] = /<NextContinuationToken>([^<]+)</.exec(text) ?? [];
    const [, marker] = /<NextMarker>([^<]+)</.exec(text) ?? [];
    next = token ? { 'continuation-token': token } : { marker: decodeURIComponent(marker ?? '') };
    if (!/<IsTruncated>true/.test(text)) break;
  } while (times.length <= pages);
  if (times.length !== pages) throw new Error(`${times.length} pages came, and ${pages} should have`);
  return times;
}

/** Half of them up, half of them down. */
async function transfers(larder: Measured, folder: string): Promise<Row[]> {
  const path = join(folder, 'large');
  await writeLayer(path, SIZE);
  await curl('-T', path, larder.presigned('PUT', 'large'));
  const started = performance.now();
  await Promise.all(
    Array.from({ length: TRANSFERS }, (_, index) =>
      index % 2 ? curl('-T', path, larder.presigned('PUT', `large-${index}`)) : curl(larder.presigned('GET', 'large')),
    ),
  );
  const seconds = (performance.now() - started) / 1000;
  const { peak } = await memoryOf(larder.pid);
  const what = `${TRANSFERS} transfers of 1 GB side by side, half up, half down (${seconds.toFixed(0)} s): most memory`;
  return [{ what, ours: `${(peak / 1e6).toFixed(0)} MB`, peer: '', wanted: '< 300 MB', met: peak < 300e6 }];
}

async function curl(...args: string[]): Promise<void> {
  const child = spawn('curl', ['-sf', '-o', '/dev/null', ...args], { stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`curl ended with ${code}`);
}

/** An object of ten parts of 1 GB, each of them a copy itself. */
async function largeCopy(larder: Measured, folder: string): Promise<Row[]> {
  const { client } = larder;
  await writeLayer(join(folder, 'large'), SIZE);
  await curl('-T', join(folder, 'large'), larder.presigned('PUT', 'large'));
  const [Bucket, Key] = [BUCKET, 'ten'];
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
  for (let PartNumber = 1; PartNumber <= 10; PartNumber += 1) {
    const part = { Bucket, Key, UploadId, PartNumber, CopySource: `${BUCKET}/large` };
    const { CopyPartResult } = await client.send(new UploadPartCopyCommand(part));
    Parts.push({ PartNumber, ETag: CopyPartResult?.ETag });
  }
  await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
  const times: number[] = [];
  for (let count = 0; count < 9; count += 1) {
    const started = performance.now();
    await client.send(new CopyObjectCommand({ Bucket, Key: `copy-${count}`, CopySource: `${BUCKET}/${Key}` }));
    times.push(performance.now() - started);
  }
  const took = median(times);
  const what = 'copy of an object of 10 GB (median of 9)';
  return [{ what, ours: `${took.toFixed(1)} ms`, peer: '', wanted: '≤ 50 ms', met: took <= 50 }];
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FolderSyncs } from '../../../shared/storage/folder-syncs.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'larder-syncs-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('those who come while a folder is being synced share the next sync, and not the one under way', async () => {
  const syncs = new FolderSyncs();
  const first = syncs.sync(folder);
  const second = syncs.sync(folder);
  expect(second).not.toBe(first);
  expect(syncs.sync(folder)).toBe(second);
  await Promise.all([first, second]);
  expect(syncs.sync(folder)).not.toBe(second);
});

test('a sync that fails is told to those who asked for it, and to nobody after them', async () => {
  const syncs = new FolderSyncs();
  const missing = join(folder, 'missing');
  const first = syncs.sync(missing);
  const second = syncs.sync(missing);
  await expect(first).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(second).rejects.toMatchObject({ code: 'ENOENT' });
  await syncs.sync(folder);
});

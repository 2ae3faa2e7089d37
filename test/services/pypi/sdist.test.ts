import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readSdist } from '../../../services/pypi/sdist.ts';
import type { ByteRange } from '../../../shared/model/byte-range.ts';
import { type BuiltFile, buildSdist } from '../../support/wheels.ts';

function sourceOf({ filename, bytes }: Pick<BuiltFile, 'filename' | 'bytes'>) {
  const open = async (range?: ByteRange) =>
    Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes], { objectMode: false });
  return { filename, size: bytes.length, open };
}

const read = (file: Pick<BuiltFile, 'filename' | 'bytes'>) => readSdist(sourceOf(file));

test.each(['tar.gz', 'zip'] as const)('a .%s tells what builds it and what it needs', async (kind) => {
  const file = await buildSdist({
    name: 'made-here',
    version: '1.0',
    kind,
    buildRequires: ['hatchling>=1.18', 'cython; python_version < "3.13"'],
    requiresDist: ['idna>=2'],
    files: { 'src/pyproject.toml': 'not this one', 'docs/PKG-INFO': 'nor this' },
  });
  expect(await read(file)).toEqual({
    buildRequires: ['hatchling>=1.18', 'cython; python_version < "3.13"'],
    requiresDist: ['idna>=2'],
  });
});

test('one without pyproject.toml, or without a build system in it, is built by setuptools', async () => {
  const without = await buildSdist({ name: 'old', version: '1.0', buildRequires: null });
  expect((await read(without)).buildRequires).toEqual(['setuptools>=40.8.0', 'wheel']);
  const files = { 'pyproject.toml': '[tool.black]\nline-length = 100\n' };
  const other = await buildSdist({ name: 'old', version: '1.0', buildRequires: null, files });
  expect((await read(other)).buildRequires).toEqual(['setuptools>=40.8.0', 'wheel']);
});

test('what it needs is unknown where only a build can tell', async () => {
  const old = await buildSdist({ name: 'a', version: '1', metadataVersion: '2.1', requiresDist: ['idna'] });
  const dynamic = await buildSdist({ name: 'a', version: '1', dynamic: ['Requires-Dist'], requiresDist: ['idna'] });
  const other = await buildSdist({ name: 'a', version: '1', dynamic: ['License'], requiresDist: ['idna'] });
  expect((await read(old)).requiresDist).toBeUndefined();
  expect((await read(dynamic)).requiresDist).toBeUndefined();
  expect((await read(other)).requiresDist).toEqual(['idna']);
});

test('one that is cut, garbage, or of another kind is refused in words', async () => {
  const whole = await buildSdist({ name: 'a', version: '1', files: { 'big.bin': Buffer.alloc(100_000, 'x') } });
  const cut = { filename: 'a-1.tar.gz', bytes: whole.bytes.subarray(0, 60) };
  await expect(read(cut)).rejects.toMatchObject({ kind: 'corrupt', message: expect.stringContaining('a-1.tar.gz') });
  for (const filename of ['a-1.tar.gz', 'a-1.zip'])
    await expect(read({ filename, bytes: Buffer.from('garbage') })).rejects.toMatchObject({ kind: 'corrupt' });
  await expect(read({ filename: 'a-1.tar.gz', bytes: gzipSync('no tar') })).rejects.toMatchObject({ kind: 'corrupt' });
  await expect(read({ filename: 'a-1.tar.bz2', bytes: Buffer.from('') })).rejects.toMatchObject({
    kind: 'unsupported',
  });
  const broken = await buildSdist({ name: 'a', version: '1', buildRequires: null, files: { 'pyproject.toml': '[' } });
  await expect(read(broken)).rejects.toThrow('its pyproject.toml cannot be read');
});

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OriginServer, startOriginServer } from '../../support/origin-server.ts';
import { buildWheel } from '../../support/wheels.ts';
import { HTML_V1, type Index, JSON_V1, startIndex, upload } from './support.ts';

let first: OriginServer;
let second: OriginServer;
let index: Index;

beforeEach(async () => {
  first = await startOriginServer();
  second = await startOriginServer();
  const projects = ['Zeta', 'alpha', 'b_b'].map((name) => ({ name }));
  first.set('/simple/', {
    body: JSON.stringify({ meta: { 'api-version': '1.4' }, projects }),
    type: JSON_V1,
    headers: { 'x-pypi-last-serial': '9' },
  });
  second.set('/whl/', {
    body: '<a href="torch/">torch</a><a href="alpha/">Alpha</a><a href="..">../</a>',
    type: 'text/html',
  });
  index = await startIndex({
    origins: [
      { name: 'main', url: `${first.url}/simple/` },
      { name: 'torch', url: `${second.url}/whl/`, kind: 'pytorch' },
    ],
  });
});

afterEach(async () => {
  await index.close();
  await first.close();
  await second.close();
});

async function names(of: Index = index, path = '/simple/'): Promise<string[]> {
  const answer = await of.get(path, { accept: JSON_V1 });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe(JSON_V1);
  return (JSON.parse(answer.text).projects as { name: string }[]).map(({ name }) => name);
}

const files = () => readdir(join(index.context.workDir, 'root-list'));

describe('the list of all projects', () => {
  test('has the names of every index and of what was uploaded: normalised, sorted, once each', async () => {
    await upload(index.store, 'acme', buildWheel({ name: 'acme', version: '1.0' }));
    expect(await names()).toEqual(['acme', 'alpha', 'b-b', 'torch', 'zeta']);
  });

  test('of one index has its own', async () => {
    await upload(index.store, 'acme', buildWheel({ name: 'acme', version: '1.0' }));
    expect(await names(index, '/torch/simple/')).toEqual(['alpha', 'torch']);
    expect(await names(index, '/private/simple/')).toEqual(['acme']);
    expect((await index.get('/nowhere/simple/')).status).toBe(404);
  });

  test('is HTML too, and tells the serial of the first that has one', async () => {
    const answer = await index.get('/simple/', { accept: HTML_V1 });
    expect(answer.text.match(/href="[^"]+"/g)).toEqual(
      ['alpha', 'b-b', 'torch', 'zeta'].map((name) => `href="${name}/"`),
    );
    expect(answer.text).toContain('content="1.4"');
    expect(answer.headers.get('x-pypi-last-serial')).toBe('9');
    expect(answer.headers.get('vary')).toMatch(/accept/i);
  });

  test('is made once per change, in the codings that are asked for, and kept on disk', async () => {
    const gzip = { accept: JSON_V1, 'accept-encoding': 'gzip' };
    const plain = { accept: JSON_V1, 'accept-encoding': 'identity' };
    const [one, two, three] = await Promise.all([
      index.get('/simple/', gzip),
      index.get('/simple/', gzip),
      index.get('/simple/', plain),
    ]);
    expect(one!.text).toBe(three!.text);
    expect(one!.headers.get('etag')).toBe(two!.headers.get('etag'));
    expect(one!.headers.get('etag')).not.toBe(three!.headers.get('etag'));
    expect((await files()).sort()).toEqual([
      expect.stringMatching(/^\w{32}\.json$/),
      expect.stringMatching(/\.json\.gzip$/),
    ]);
    const again = await index.get('/simple/', { ...gzip, 'if-none-match': one!.headers.get('etag')! });
    expect(again.status).toBe(304);
    await upload(index.store, 'acme', buildWheel({ name: 'acme', version: '1.0' }));
    expect(await names()).toContain('acme');
    expect((await files()).filter((name) => !name.endsWith('.part') && /\.json$/.test(name))).toHaveLength(2);
  });

  test('outlives a restart', async () => {
    await names();
    const before = await files();
    const again = await index.again({});
    expect(await names(again)).toEqual(['alpha', 'b-b', 'torch', 'zeta']);
    expect(await files()).toEqual(before);
    await again.close();
  });

  test('has the others when one index fails, or answers nonsense, and the log says so', async () => {
    await second.goDark();
    expect(await names()).toEqual(['alpha', 'b-b', 'zeta']);
    expect(index.log).toContainEqual(expect.objectContaining({ event: 'root-list', origin: 'torch' }));
    await second.comeBack();
    first.set('/simple/', { body: '{"broken', type: JSON_V1 });
    index.clock.now += 2 * 86_400_000;
    expect(await names()).toEqual(['alpha', 'torch']);
    expect(index.log).toContainEqual(
      expect.objectContaining({ origin: 'main', reason: expect.stringContaining('not JSON') }),
    );
  });

  test('is of what is held where the settings say so', async () => {
    const held = await index.again({ config: { ...index.context.config, rootList: 'held' } });
    expect(await names(held)).toEqual([]);
    await upload(index.store, 'acme', buildWheel({ name: 'acme', version: '1.0' }));
    expect(await names(held)).toEqual(['acme']);
    expect(first.calls()).toEqual([]);
    await held.close();
  });

  test('can be had in parts', async () => {
    const whole = await index.get('/simple/', { accept: JSON_V1, 'accept-encoding': 'identity' });
    const part = await index.get('/simple/', { accept: JSON_V1, 'accept-encoding': 'identity', range: 'bytes=2-5' });
    expect([part.status, part.text]).toEqual([206, whole.text.slice(2, 6)]);
  });
});

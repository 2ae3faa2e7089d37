import { expect, test } from 'vitest';
import { RenderedPackument, RenderedPackuments } from '../../../services/npm/rendered-packuments.ts';

const rendered = (stamp: string, length = 10) =>
  new RenderedPackument(stamp, { bytes: Buffer.alloc(length), sha256: stamp }, false);

test('is rendered once for all who ask at once, and anew when its stamp changes', async () => {
  const kept = new RenderedPackuments(() => 0);
  let times = 0;
  const render = (stamp: string) => async () => {
    times += 1;
    return rendered(stamp);
  };
  const [one, other] = await Promise.all([
    kept.current('a', '1', 1, render('1')),
    kept.current('a', '1', 1, render('1')),
  ]);
  expect(one).toBe(other);
  expect(await kept.current('a', '1', 2, render('1'))).toBe(one);
  expect(times).toBe(1);
  expect(await kept.current('a', '2', 2, render('2'))).not.toBe(one);
  expect(times).toBe(2);
});

test('is trusted for a second while no name has changed', async () => {
  let now = 5_000;
  const kept = new RenderedPackuments(() => now);
  const one = await kept.current('a', '1', 7, async () => rendered('1'));
  expect(kept.trusted('a', 7)).toBe(one);
  expect(kept.trusted('a', 8)).toBeUndefined();
  now += 1_000;
  expect(kept.trusted('a', 7)).toBeUndefined();
});

test('a rendering that fails is tried again by the next who asks', async () => {
  const kept = new RenderedPackuments(() => 0);
  await expect(kept.current('a', '1', 1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect((await kept.current('a', '1', 1, async () => rendered('1'))).stamp).toBe('1');
});

test('only so many bytes are kept, and those used last', async () => {
  const kept = new RenderedPackuments(() => 0, 29_000);
  for (const key of ['a', 'b', 'a', 'c']) await kept.current(key, key, 1, async () => rendered(key, 6_000));
  expect([kept.trusted('a', 1), kept.trusted('b', 1), kept.trusted('c', 1)].map((one) => one?.stamp)).toEqual([
    'a',
    undefined,
    'c',
  ]);
  await kept.current('huge', 'huge', 1, async () => rendered('huge', 100_000));
  expect(kept.trusted('huge', 1)?.stamp).toBe('huge');
  expect(kept.trusted('c', 1)).toBeUndefined();
});

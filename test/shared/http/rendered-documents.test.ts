import { expect, test } from 'vitest';
import { CodedBody } from '../../../shared/http/coded-body.ts';
import { RenderedDocuments } from '../../../shared/http/rendered-documents.ts';

const ROOM = 64 << 20;
const documentOf = (length = 7000) => new CodedBody('x'.repeat(length));

test('is rendered once for all who ask at once, and anew when its stamp changes', async () => {
  const kept = new RenderedDocuments(() => 0, ROOM);
  let times = 0;
  const render = async () => {
    times += 1;
    return documentOf();
  };
  const [one, other] = await Promise.all([kept.current('a', '1', 1, render), kept.current('a', '1', 1, render)]);
  expect(one).toBe(other);
  expect(await kept.current('a', '1', 2, render)).toBe(one);
  expect(times).toBe(1);
  expect(await kept.current('a', '2', 2, render)).not.toBe(one);
  expect(kept.known('a', '1', 2)).toBeUndefined();
  expect(times).toBe(2);
});

test('is trusted for a second, as long as no name has changed', async () => {
  let now = 0;
  const kept = new RenderedDocuments(() => now, ROOM);
  const one = await kept.current('a', '1', 7, async () => documentOf());
  expect(kept.trusted('a', 7)).toBe(one);
  expect(kept.trusted('a', 8)).toBeUndefined();
  now = 999;
  expect(kept.trusted('a', 7)).toBe(one);
  now = 1000;
  expect(kept.trusted('a', 7)).toBeUndefined();
  now = -1;
  expect(kept.trusted('a', 7)).toBeUndefined();
});

test('a rendering that fails is tried again by the next who asks', async () => {
  const kept = new RenderedDocuments(() => 0, ROOM);
  await expect(kept.current('a', '1', 1, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(kept.known('a', '1', 1)).toBeUndefined();
  const one = await kept.current('a', '1', 1, async () => documentOf());
  expect(kept.known('a', '1', 1)).toBe(one);
});

test('those that were not used for longest go when there is no room', async () => {
  const kept = new RenderedDocuments(() => 0, 3 * documentOf().weight);
  for (const key of ['a', 'b', 'c']) await kept.current(key, '1', 1, async () => documentOf());
  kept.known('a', '1', 1);
  await kept.current('d', '1', 1, async () => documentOf());
  expect(['a', 'b', 'c', 'd'].filter((key) => kept.trusted(key, 1))).toEqual(['a', 'c', 'd']);
});

test('one that is larger than the room is kept alone, and its room is given back', async () => {
  const kept = new RenderedDocuments(() => 0, 2 * documentOf().weight);
  await kept.current('small', '1', 1, async () => documentOf(10));
  const large = await kept.current('large', '1', 1, async () => documentOf(70_000));
  expect(kept.known('small', '1', 1)).toBeUndefined();
  expect(kept.known('large', '1', 1)).toBe(large);
  for (const key of ['a', 'b']) await kept.current(key, '1', 1, async () => documentOf());
  expect(['large', 'a', 'b'].filter((key) => kept.known(key, '1', 1))).toEqual(['a', 'b']);
});

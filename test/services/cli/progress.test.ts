import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { Progress, shownBytes } from '../../../services/cli/progress.ts';

function display(options: { tty?: boolean; json?: boolean; columns?: number } = {}) {
  const out = Object.assign(new PassThrough(), { columns: options.columns });
  let now = 0;
  const progress = new Progress({ out, json: options.json ?? false, tty: options.tty ?? false, now: () => now });
  return {
    progress,
    pass: (milliseconds: number) => {
      now += milliseconds;
    },
    shown: () => String(out.read() ?? ''),
  };
}

describe('on a terminal', () => {
  test('a bar grows with the bytes, and is gone when the step is over', () => {
    const { progress, pass, shown } = display({ tty: true });
    progress.step('fetch', { count: 4, bytes: 1024 });
    pass(200);
    progress.advance({ count: 2, bytes: 512, label: 'torch' });
    expect(shown()).toBe(`\r\u001b[K[${'#'.repeat(12)}${'.'.repeat(12)}] fetch     2/4  512 B of 1.00 KiB  torch`);
    pass(800);
    progress.finish();
    expect(shown()).toBe('\r\u001b[Kfetch     2/4  512 B of 1.00 KiB 1.0 s\n');
  });

  test('a line is never longer than the terminal is wide', () => {
    const { progress, pass, shown } = display({ tty: true, columns: 40 });
    progress.step('fetch', { bytes: 10 });
    pass(200);
    progress.advance({ bytes: 99, label: 'x'.repeat(200) });
    expect(shown().replace('\r\u001b[K', '').length).toBeLessThan(40);
  });

  test('it is drawn ten times a second at most', () => {
    const { progress, pass, shown } = display({ tty: true });
    progress.step('fetch');
    for (let count = 0; count < 1000; count += 1) {
      pass(1);
      progress.advance({ count: 1 });
    }
    expect(shown().split('\r').length - 1).toBe(10);
  });

  test('a remark stands above the bar', () => {
    const { progress, shown } = display({ tty: true });
    progress.step('fetch');
    progress.note('numpy has no wheel');
    expect(shown()).toBe('\r\u001b[K  numpy has no wheel\n');
  });
});

describe('elsewhere', () => {
  test('a plain line comes now and then, and one at the end of each step', () => {
    const { progress, pass, shown } = display();
    progress.step('names');
    progress.advance({ count: 1 });
    expect(shown()).toBe('');
    pass(5000);
    progress.advance({ count: 1 });
    expect(shown()).toBe('names     2\n');
    pass(1000);
    progress.step('blobs');
    expect(shown()).toBe('names     2 6.0 s\n');
  });

  test('nothing is shown of steps that never began', () => {
    const { progress, shown } = display();
    progress.finish();
    progress.finish();
    expect(shown()).toBe('');
  });
});

describe('for machines', () => {
  test('everything is one JSON object a line', () => {
    const { progress, pass, shown } = display({ json: true, tty: true });
    progress.step('fetch', { count: 2 });
    pass(5000);
    progress.advance({ count: 1, bytes: 7, label: 'a' });
    progress.note('hm');
    pass(1000);
    progress.finish();
    const events = shown()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toMatchObject([
      { event: 'step', step: 'fetch', total: { count: 2 } },
      { event: 'progress', step: 'fetch', count: 1, bytes: 7, label: 'a' },
      { event: 'note', message: 'hm' },
      { event: 'done', step: 'fetch', seconds: 6 },
    ]);
  });
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.00 KiB'],
  [1_500_000, '1.43 MiB'],
  [15_000_000, '14.3 MiB'],
  [1010 * 2 ** 20, '1010 MiB'],
  [5 * 2 ** 30, '5.00 GiB'],
  [3000 * 2 ** 40, '3000 TiB'],
])('%i bytes are shown as %s', (bytes, shown) => {
  expect(shownBytes(bytes)).toBe(shown);
});

import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { report } from '../../../services/cli/report.ts';
import { MirrorError } from '../../../shared/model/errors.ts';

function told(error: unknown, logLevel?: string): { status: number; text: string } {
  let text = '';
  const status = report(error, { write: (more) => (text += more) }, logLevel);
  return { status, text };
}

describe('what went wrong is told in words, and by the exit status', () => {
  test.each([
    [
      'a failure',
      new MirrorError('internal', 'store', 'the disk is gone; see to it'),
      1,
      'larder: the disk is gone; see to it\n',
    ],
    ['a wrong setting', new MirrorError('bad-request', 'settings', 'no'), 2, 'larder: no\n'],
    ['a wrong manifest', new MirrorError('bad-request', 'manifest', 'no'), 2, 'larder: no\n'],
    ['a wrong option', new CommanderError(1, 'commander.unknownOption', 'said already'), 2, ''],
    ['a wish for help', new CommanderError(0, 'commander.help', 'said already'), 0, ''],
    ['a stop', new DOMException('stopped', 'AbortError'), 1, 'larder: stopped; the same command goes on from here\n'],
  ])('%s', (_name, error, status, text) => {
    expect(told(error)).toEqual({ status, text });
  });

  test('a fault of ours shows its stack only where the log level asks for it', () => {
    const error = new TypeError('x is not a function', { cause: new Error('deeper') });
    const plain = told(error);
    expect(plain.status).toBe(1);
    expect(plain.text).toMatch(/this should not have happened: x is not a function\n.*LARDER_LOG_LEVEL=debug/);
    expect(plain.text).not.toContain('report.test.ts');
    expect(told(error, 'debug').text).toMatch(/report\.test\.ts[\s\S]*caused by Error: deeper/);
  });

  test('what is thrown without being an error is told too', () => {
    expect(told('just words').text).toContain('just words');
    expect(told(null, 'debug').status).toBe(1);
  });
});

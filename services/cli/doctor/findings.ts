import { EXIT } from '../exit.ts';

/** What one check found, in words that say what to do where something is wrong. */
export interface Finding {
  /** Short and always the same: for scripts. */
  check: string;
  state: 'good' | 'wrong' | 'unknown';
  message: string;
}

export const good = (check: string, message: string): Finding => ({ check, state: 'good', message });
export const wrong = (check: string, message: string): Finding => ({ check, state: 'wrong', message });
/** It could not be looked at, or was not asked for. */
export const unknown = (check: string, message: string): Finding => ({ check, state: 'unknown', message });

const MARKS = { good: 'ok   ', wrong: 'WRONG', unknown: '?    ' };

/** Shows findings as they come; the exit status says whether something is wrong. */
export async function tell(findings: AsyncIterable<Finding>, json: boolean): Promise<void> {
  let failed = 0;
  for await (const finding of findings) {
    const { check, state, message } = finding;
    if (state === 'wrong') failed += 1;
    process.stdout.write(json ? `${JSON.stringify(finding)}\n` : `${MARKS[state]}  ${check.padEnd(10)}  ${message}\n`);
  }
  if (failed === 0) return;
  if (!json) process.stdout.write(`${failed} of these ${failed === 1 ? 'is' : 'are'} wrong\n`);
  process.exitCode = EXIT.incomplete;
}

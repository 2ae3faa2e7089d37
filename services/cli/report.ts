import { CommanderError } from 'commander';
import { MirrorError } from '../../shared/model/errors.ts';
import { EXIT } from './exit.ts';

/**
 * Tells a person what went wrong and what to do; where in the code, only when the log level asks for it.
 * @returns the exit status
 */
export function report(error: unknown, out: { write(text: string): unknown }, logLevel: string | undefined): number {
  // commander has said it already
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const { lines, status } = words(error);
  for (const line of lines) out.write(`${line}\n`);
  if (logLevel === 'debug' || logLevel === 'trace') out.write(`${traces(error)}\n`);
  return status;
}

function words(error: unknown): { lines: string[]; status: number } {
  if (error instanceof MirrorError) {
    const isUsage = error.subject === 'settings' || error.subject === 'manifest';
    return { lines: [`larder: ${error.message}`], status: isUsage ? EXIT.usage : EXIT.failed };
  }
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  if (name === 'AbortError')
    return { lines: ['larder: stopped; the same command goes on from here'], status: EXIT.failed };
  return {
    lines: [
      `larder: this should not have happened: ${message.split('\n')[0]}`,
      'set LARDER_LOG_LEVEL=debug to see where it comes from',
    ],
    status: EXIT.failed,
  };
}

/** Where an error was thrown, and what it came from. */
function traces(error: unknown): string {
  const found: string[] = [];
  for (let cause = error; cause !== undefined && found.length < 8; cause = (cause as Error | null)?.cause)
    found.push(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  return found.join('\ncaused by ');
}

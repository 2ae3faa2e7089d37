import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { MirrorError } from '../../shared/model/errors.ts';
import { EXIT } from './exit.ts';
import { version } from './version.ts';

/** What a file in verbs/ exports. */
interface Verb {
  register(program: Command): void;
}

const program = new Command('larder')
  .description('Keeps an air-gapped ML site fed: mirrors, and bundles that carry content across the gap.')
  .version(version())
  .option('--config <file>', 'settings (default: ./larder.yaml when there is one)')
  .option('--json', 'events as JSON lines instead of words')
  .showHelpAfterError('(add --help for what there is)')
  .exitOverride()
  .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 incomplete.');

const verbs = join(import.meta.dirname, 'verbs');
for (const file of (await readdir(verbs)).sort()) {
  const { register } = (await import(join(verbs, file))) as Verb;
  register(program);
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** One line for what went wrong, and more only where there is more to say. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof MirrorError) {
    process.stderr.write(`larder: ${error.message}\n`);
    return error.subject === 'settings' || error.subject === 'manifest' ? EXIT.usage : EXIT.failed;
  }
  if ((error as Error).name === 'AbortError') {
    process.stderr.write('larder: stopped; the same command goes on from here\n');
    return EXIT.failed;
  }
  process.stderr.write(`larder: this should not have happened: ${(error as Error).stack ?? String(error)}\n`);
  return EXIT.failed;
}

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { environment } from '../../shared/config/load.ts';
import { report } from './report.ts';
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
  .addHelpText(
    'after',
    `
Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 incomplete.
Settings:   config/larder.yaml explains every one; LARDER_LOG_LEVEL=debug shows where an error comes from.`,
  );

// `larder … | head`: whoever reads has had enough
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await registerVerbs(process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error, process.stderr, environment().LARDER_LOG_LEVEL);
}

/** Loads the verb that is asked for, and all of them where the question is what there is. */
async function registerVerbs(args: readonly string[]): Promise<void> {
  const folder = join(import.meta.dirname, 'verbs');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ts')).sort();
  const asked = files.filter((file) => args[0] === file.slice(0, -'.ts'.length));
  for (const file of asked.length > 0 ? asked : files) {
    const { register } = (await import(join(folder, file))) as Verb;
    register(program);
  }
}

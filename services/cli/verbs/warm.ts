import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Failed } from '../../../shared/bundle/create-options.ts';
import { gather } from '../../../shared/service/gather.ts';
import { withProviders } from '../../../shared/service/providers.ts';
import { EXIT } from '../exit.ts';
import { openSession } from '../session.ts';
import { version } from '../version.ts';
import { readManifest } from './bundle.ts';

export function register(program: Command): void {
  program
    .command('warm')
    .description('fetches what a manifest names into the store')
    .argument('<manifest>', 'as "larder bundle create" takes it')
    .option('--store <place>')
    .action(async (file: string, _options, command: Command) => {
      const session = await openSession(command);
      const manifest = await readManifest(file, session);
      const workDir = await mkdtemp(join(tmpdir(), 'larder-warm-'));
      const failed: Failed[] = [];
      let count = 0;
      try {
        await withProviders({ ...session, version: version() }, async (providers) => {
          session.progress.step('warm');
          const note = (message: string) => session.progress.note(message);
          const fetched = (label: string, bytes: number) => session.progress.advance({ count: 1, bytes, label });
          const { items, defaults } = manifest;
          const baseDir = dirname(resolve(file));
          for await (const _ of gather({
            items,
            defaults,
            baseDir,
            providers,
            workDir,
            signal: session.signal,
            note,
            fetched,
            failed,
          }))
            count += 1;
        });
      } finally {
        await rm(workDir, { recursive: true, force: true });
      }
      session.progress.finish();
      process.stdout.write(`${count} items are held\n`);
      for (const { item, message } of failed) process.stdout.write(`missing: ${item}: ${message}\n`);
      if (failed.length > 0) process.exitCode = EXIT.incomplete;
    });
}

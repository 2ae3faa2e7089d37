import type { Command } from 'commander';
import { writeManifest } from '../../../shared/bundle/manifest.ts';
import { type Want, Wants } from '../../../shared/mirror/wants.ts';
import type { Store } from '../../../shared/storage/store.ts';
import { openSession, type Session, STORE_OPTION, withStore } from '../session.ts';

export function register(program: Command): void {
  const wants = program.command('wants').description('what was asked for and is not held');
  wants
    .command('list')
    .description('shows them, oldest first')
    .option('--store <place>', STORE_OPTION)
    .action(async (_options, command: Command) => {
      const session = await openSession(command);
      const all = await withStore(session, (store) => readWants(store, session));
      for (const want of all)
        process.stdout.write(
          session.json ? `${JSON.stringify(want)}\n` : `${want.first}  ${want.service}  ${want.label}\n`,
        );
      if (all.length === 0) process.stderr.write('nothing was asked for in vain\n');
    });
  wants
    .command('export')
    .description('prints them as a manifest for the connected side')
    .option('--name <name>', 'of the bundle to be', 'wanted')
    .option('--store <place>', STORE_OPTION)
    .action(async (options: { name: string }, command: Command) => {
      const session = await openSession(command);
      const all = await withStore(session, (store) => readWants(store, session));
      const items = [...new Set(all.map((want) => JSON.stringify(want.item)))].map(
        (text) => JSON.parse(text) as unknown,
      );
      process.stdout.write(
        writeManifest(options.name, items, 'what was asked for behind the gap and is not held there'),
      );
    });
  wants
    .command('clear')
    .description('forgets them')
    .option('--store <place>', STORE_OPTION)
    .action(async (_options, command: Command) => {
      const session = await openSession(command);
      await withStore(session, async (store) => {
        for (const want of await readWants(store, session)) await listOf(store, session, want.service).clear(want.key);
      });
    });
}

async function readWants(store: Store, session: Session): Promise<Want[]> {
  const found: Want[] = [];
  for (const { name } of session.services) {
    for await (const want of listOf(store, session, name).list()) found.push(want);
  }
  return found.sort((one, other) => one.first.localeCompare(other.first));
}

function listOf(store: Store, session: Session, service: string): Wants {
  return new Wants(store.objects, { service, now: session.now });
}

import type { Command } from 'commander';
import { MirrorError } from '../../../shared/model/errors.ts';
import { planGc, runGc } from '../../../shared/storage/store-gc.ts';
import { storeStats } from '../../../shared/storage/store-stats.ts';
import { type VerifyResult, verifyStore } from '../../../shared/storage/store-verify.ts';
import { copyBetween, KEYS_OPTION } from '../copy-store.ts';
import { EXIT } from '../exit.ts';
import { shownBytes, sumsTo } from '../progress.ts';
import { openSession, STORE_OPTION, withStore } from '../session.ts';

export function register(program: Command): void {
  const store = program.command('store').description('looks after what is held');
  store
    .command('verify')
    .description('reads every blob and compares it with its name')
    .option('--store <place>', STORE_OPTION)
    .option('--remove', 'move damaged blobs away, so that they are fetched again')
    .action(verify);
  store
    .command('gc')
    .description('shows blobs that no name points at, and frees them with --yes')
    .option('--store <place>', STORE_OPTION)
    .option('--yes', 'free them')
    .option('--older-than <hours>', 'leave younger ones alone', Number, 24)
    .action(collect);
  store
    .command('copy')
    .description('copies all that is held into another place, checked; may be stopped and run again at any time')
    .argument('<from>', 'a directory, or s3://bucket/prefix?endpoint=…')
    .argument('<to>', 'likewise; what is there already stays')
    .option('--from-keys <file>', KEYS_OPTION)
    .option('--to-keys <file>', KEYS_OPTION)
    .action(copyBetween);
  store
    .command('stats')
    .description('counts names and bytes')
    .option('--store <place>', STORE_OPTION)
    .action(async (_options, command: Command) => {
      const session = await openSession(command);
      const stats = await withStore(session, (opened) => storeStats(opened, { signal: session.signal }));
      if (session.json) {
        process.stdout.write(`${JSON.stringify(stats)}\n`);
        return;
      }
      for (const { service, names, bytes } of stats.services)
        process.stdout.write(`${service.padEnd(14)}${String(names).padStart(9)} names  ${shownBytes(bytes)}\n`);
      process.stdout.write(
        `${'blobs'.padEnd(14)}${String(stats.blobs.count).padStart(9)}        ${shownBytes(stats.blobs.bytes)}\n`,
      );
      process.stdout.write(
        `${'wants'.padEnd(14)}${String(stats.wants).padStart(9)}\n${'imports'.padEnd(14)}${String(stats.imports).padStart(9)}\n`,
      );
    });
}

async function verify(options: { remove?: boolean }, command: Command): Promise<void> {
  const session = await openSession(command);
  const result = await withStore(session, (store) =>
    verifyStore(store, { signal: session.signal, remove: options.remove, onProgress: sumsTo(session.progress) }),
  );
  session.progress.finish();
  report(result);
  if (!result.ok) process.exitCode = EXIT.incomplete;
}

function report(result: VerifyResult): void {
  for (const { digest, reason, names } of result.corrupt)
    process.stdout.write(`damaged: ${digest}: ${reason} (${names.join(', ') || 'no name'})\n`);
  for (const { service, key, digest } of result.missing)
    process.stdout.write(`missing: ${service} ${key}: ${digest}\n`);
  for (const { path, reason } of result.damagedNames) process.stdout.write(`damaged: ${path}: ${reason}\n`);
  for (const digest of result.removed) process.stdout.write(`moved away: ${digest}\n`);
  if (result.unreferenced.length > 0)
    process.stdout.write(`${result.unreferenced.length} blobs have no name; "larder store gc" frees them\n`);
  process.stdout.write(result.ok ? 'the store is whole\n' : 'the store is not whole\n');
}

async function collect(options: { yes?: boolean; olderThan: number }, command: Command): Promise<void> {
  if (!(options.olderThan >= 0))
    throw new MirrorError('bad-request', 'settings', '--older-than takes hours, 0 or more');
  const session = await openSession(command);
  await withStore(session, async (store) => {
    const plan = await planGc(store, {
      olderThanSeconds: options.olderThan * 3600,
      now: session.now(),
      signal: session.signal,
    });
    if (plan.importing.length > 0)
      process.stdout.write(`an import is under way (${plan.importing.join(', ')}): nothing goes before it is done\n`);
    process.stdout.write(
      `${plan.blobs.length} blobs, ${shownBytes(plan.bytes)}, have no name; ${plan.young.count} more are too young\n`,
    );
    if (!options.yes) {
      if (plan.blobs.length > 0) process.stdout.write('nothing was freed; add --yes to free them\n');
      return;
    }
    const result = await runGc(store, plan, { signal: session.signal });
    process.stdout.write(
      `${result.deleted} blobs freed, ${shownBytes(result.bytes)}; ${result.kept} were wanted again meanwhile\n`,
    );
  });
}

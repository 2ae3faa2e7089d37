import type { Command } from 'commander';
import { parseTarget } from '../../ngc/artifact.ts';
import { checkCache } from '../../ngc/nim/check-cache.ts';
import { exportCache } from '../../ngc/nim/export-cache.ts';
import { EXIT } from '../exit.ts';
import { shownBytes } from '../progress.ts';
import { openSession, type Session, STORE_OPTION, withStore } from '../session.ts';

export function register(program: Command): void {
  const nim = program.command('nim').description("models of NVIDIA's NIM containers");
  nim
    .command('export')
    .description('makes the folder of NIM_CACHE_PATH, or adds to one: a NIM starts on it without a network')
    .argument('<folder>', "what is mounted as the container's cache")
    .requiredOption('--model <org/team/name:version...>', 'what the profile of the NIM needs; all of it must be held')
    .option('--writable', 'everybody may write to it: for a NIM that runs as another user')
    .option('--store <place>', STORE_OPTION)
    .action(exportAll);
  nim
    .command('check')
    .description('checks a folder of NIM_CACHE_PATH, whoever made it: links, refs, and every file by its checksum')
    .argument('<folder>')
    .action(check);
}

interface ExportFlags {
  model: string[];
  writable?: boolean;
}

async function exportAll(folder: string, { model, writable }: ExportFlags, command: Command): Promise<void> {
  const session = await openSession(command);
  const { progress, signal } = session;
  const versions = model.map((text) => parseTarget('models', text));
  progress.step('export');
  const done = await withStore(session, (store) =>
    exportCache({ catalog: store.catalog('ngc'), blobs: store.blobs }, folder, versions, {
      writable,
      signal,
      written: (label, bytes) => progress.advance({ count: 1, bytes, label }),
    }),
  );
  progress.finish();
  if (session.json) return tellJson({ event: 'exported', to: folder, ...done });
  tellVersions(done.versions);
  process.stdout.write(`${folder}: ${done.copied} files copied, ${shownBytes(done.bytes)}\n`);
  if (!writable)
    process.stdout.write('A NIM writes beside what it finds: chown -R 1000 it, or make it with --writable\n');
}

async function check(folder: string, _options: unknown, command: Command): Promise<void> {
  const session: Session = await openSession(command);
  const { progress, signal } = session;
  progress.step('check');
  const checked = (label: string, bytes: number) => progress.advance({ count: 1, bytes, label });
  const { versions, problems } = await checkCache(folder, { signal, checked });
  progress.finish();
  if (problems.length > 0) process.exitCode = EXIT.incomplete;
  if (session.json) return tellJson({ event: 'checked', folder, versions, problems });
  tellVersions(versions);
  for (const { where, message } of problems) process.stdout.write(`wrong: ${where}: ${message}\n`);
  process.stdout.write(`${folder}: ${versions.length} versions, ${problems.length} problems\n`);
}

function tellJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function tellVersions(versions: readonly { version: string; files: number; bytes: number; checked: number }[]): void {
  for (const { version, files, bytes, checked } of versions)
    process.stdout.write(`${version}: ${files} files, ${shownBytes(bytes)}, ${checked} by their checksum\n`);
}

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { createBundle } from '../../../shared/bundle/create.ts';
import type { Failed } from '../../../shared/bundle/create-options.ts';
import { importBundle } from '../../../shared/bundle/import.ts';
import { bundleIdSchema } from '../../../shared/bundle/layout.ts';
import { type Manifest, parseManifest } from '../../../shared/bundle/manifest.ts';
import { verifyBundle } from '../../../shared/bundle/verify.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import { gather, itemTypes, proveItems } from '../../../shared/service/gather.ts';
import { withBundle, withProviders } from '../../../shared/service/providers.ts';
import { EXIT } from '../exit.ts';
import { inspect } from '../inspect.ts';
import { joinManifests, listPresets, readPreset } from '../presets.ts';
import { shownBytes } from '../progress.ts';
import { openSession, type Session, withStore } from '../session.ts';
import { version } from '../version.ts';

export function register(program: Command): void {
  const bundle = program.command('bundle').description('carries content across the gap');
  bundle
    .command('create')
    .description('resolves what a manifest names, fetches it, writes it down and proves it closed')
    .usage('[options] <manifest> <dir>   or   --preset <name> [manifest] <dir>')
    .argument('<path...>', 'YAML, see config/presets and README; and a new folder for the bundle')
    .option(
      '--preset <name>',
      'what "larder bundle presets" lists; as often as wanted',
      (one, all: string[]) => [...all, one],
      [],
    )
    .option('--id <id>', "the bundle's name (default: the manifest's, with the time)")
    .option('--store <place>')
    .option('--allow-partial', 'finish although something is missing, and say so inside it')
    .action(create);
  bundle
    .command('presets')
    .description('lists the manifests that come with Larder; shows one of them')
    .argument('[name]')
    .action(presets);
  bundle
    .command('inspect')
    .description('shows what is in one')
    .argument('<dir>')
    .action((dir: string, _options, command: Command) =>
      inspect(dir, command.optsWithGlobals<{ json?: boolean }>().json ?? false),
    );
  bundle
    .command('verify')
    .description('reads every byte of one and compares it')
    .argument('<dir>')
    .option('--quick', 'lists and sizes only')
    .action(verify);
  bundle
    .command('import')
    .description('brings one into the store; may be stopped and run again at any time')
    .argument('<dir>')
    .option('--store <place>')
    .action(importInto);
}

async function presets(name: string | undefined, _options: unknown, command: Command): Promise<void> {
  if (name !== undefined) {
    process.stdout.write((await readPreset(name)).text);
    return;
  }
  const { json } = command.optsWithGlobals<{ json?: boolean }>();
  for (const { name: one, description, text } of await listPresets()) {
    const items = (parse(text) as { items: unknown[] }).items.length;
    const row = `${one.padEnd(20)}${String(items).padStart(4)} items  ${description}`;
    process.stdout.write(`${json ? JSON.stringify({ name: one, items, description }) : row}\n`);
  }
}

interface CreateOptions {
  id?: string;
  preset: string[];
  allowPartial?: boolean;
}

async function create(paths: string[], options: CreateOptions, command: Command): Promise<void> {
  const session = await openSession(command);
  const target = paths.pop()!;
  const manifest = await manifestOf(paths, options.preset, session);
  const id = bundleIdSchema.safeParse(options.id ?? `${manifest.name}-${timestamp(session.now())}`);
  if (!id.success) throw new MirrorError('bad-request', 'settings', `--id: ${id.error.issues[0]!.message}`);
  const workDir = await mkdtemp(join(tmpdir(), 'larder-bundle-'));
  try {
    const result = await withProviders({ ...session, version: version() }, async (providers, store) => {
      const failed: Failed[] = [];
      const note = (message: string) => session.progress.note(message);
      const shared = {
        items: manifest.items,
        defaults: manifest.defaults,
        baseDir: dirname(resolve(paths[0] ?? target)),
        workDir,
        signal: session.signal,
        note,
      };
      return createBundle({
        id: id.data,
        channel: manifest.channel,
        manifestText: manifest.text,
        items: gather({ ...shared, providers, failed }),
        failed,
        store,
        target,
        now: session.now,
        tool: `larder ${version()}`,
        progress: session.progress,
        signal: session.signal,
        allowPartial: options.allowPartial,
        prove: (opened) =>
          withBundle(opened, { ...session, version: version() }, (proving) =>
            proveItems({ ...shared, providers: proving }),
          ),
      });
    });
    session.progress.finish();
    const { counts, failed } = result.head;
    process.stdout.write(
      `${result.dir}: ${counts.items} items, ${counts.blobs} blobs, ${shownBytes(counts.bytes)}\ncode ${result.code}\n`,
    );
    for (const { item, message } of failed) process.stdout.write(`missing: ${item}: ${message}\n`);
    if (failed.length > 0) process.exitCode = EXIT.incomplete;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** A file, presets, or both as one. */
async function manifestOf(files: readonly string[], names: readonly string[], session: Session): Promise<Manifest> {
  if (files.length + names.length === 0 || files.length > 1)
    throw new MirrorError('bad-request', 'settings', 'give a manifest or --preset <name>, and a new folder');
  if (names.length === 0) return readManifest(files[0]!, session);
  const parts = await Promise.all(names.map((name) => readPreset(name)));
  // what is wrong with a file is said with its own lines
  for (const file of files) parts.push({ ...(await readManifest(file, session)), description: '' });
  const label = [...names.map((name) => `preset ${name}`), ...files].join(' and ');
  return parseManifest(joinManifests(parts), itemTypes(session.services), label);
}

/** Reads a manifest with the item types that the services know. */
export async function readManifest(file: string, session: Session): Promise<Manifest> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new MirrorError('bad-request', 'manifest', `${file} cannot be read (${error.code})`);
  });
  return parseManifest(text, itemTypes(session.services), file);
}

/** 20261123-1015 */
function timestamp(now: number): string {
  const [date, time] = new Date(now).toISOString().split('T') as [string, string];
  return `${date.replaceAll('-', '')}-${time.slice(0, 5).replace(':', '')}`;
}

async function verify(dir: string, options: { quick?: boolean }, command: Command): Promise<void> {
  const session = await openSession(command);
  const { bundle, damaged } = await verifyBundle(dir, {
    quick: options.quick,
    progress: session.progress,
    signal: session.signal,
  });
  session.progress.finish();
  for (const { path, message } of damaged) process.stdout.write(`damaged: ${path}: ${message}\n`);
  if (damaged.length > 0) {
    process.stdout.write(`${damaged.length} files are damaged; copy them again\n`);
    process.exitCode = EXIT.incomplete;
    return;
  }
  const { id, complete, counts } = bundle.head;
  process.stdout.write(
    `${id} is whole: ${counts.items} items, ${counts.blobs} blobs, ${shownBytes(counts.bytes)}\ncode ${bundle.code}\n`,
  );
  if (!complete)
    process.stdout.write('it says of itself that it lacks something; "larder bundle inspect" shows what\n');
}

async function importInto(dir: string, _options: unknown, command: Command): Promise<void> {
  const session = await openSession(command);
  const { receipt, kept } = await withStore(session, (store) =>
    importBundle(dir, { store, now: session.now, progress: session.progress, signal: session.signal }),
  );
  session.progress.finish();
  process.stdout.write(
    `${receipt.bundle} is in: ${receipt.items} items, ${receipt.newBlobs} new blobs (${shownBytes(receipt.newBytes)}), ${receipt.existing} were here\n`,
  );
  for (const { key, reason } of kept.slice(0, 20)) process.stdout.write(`kept as it is here: ${key}: ${reason}\n`);
  if (kept.length > 20) process.stdout.write(`… and ${kept.length - 20} more\n`);
}

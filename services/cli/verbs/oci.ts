import type { Command } from 'commander';
import { exportLayout } from '../../oci/archives/export-layout.ts';
import { importArchive } from '../../oci/archives/import-archive.ts';
import type { Imported } from '../../oci/archives/importing.ts';
import { configSchema, type OciConfig } from '../../oci/config.ts';
import { shownBytes } from '../progress.ts';
import { registerPrune } from '../prune-images.ts';
import { openSession, STORE_OPTION, withStore } from '../session.ts';

export function register(program: Command): void {
  const oci = program.command('oci').description('container images');
  oci
    .command('import')
    .description(
      'brings saved images into the store: files of docker save, podman or skopeo, OCI layouts, folders of them',
    )
    .argument('<path...>')
    .option('--as <name>', 'what the image is called, whatever its archive says')
    .option('--store <place>', STORE_OPTION)
    .action(importAll);
  oci
    .command('export')
    .description('writes images that are held as an OCI layout: a folder, or a file that ends in .tar')
    .argument('<image...>')
    .requiredOption('--to <path>', 'where; a layout that is there gets more')
    .option('--platform <os/arch...>', 'of an image for several platforms (default: all that are held)')
    .option('--no-referrers', 'without signatures and what else belongs to an image')
    .option('--store <place>', STORE_OPTION)
    .action(exportAll);
  registerPrune(oci);
}

interface ExportFlags {
  to: string;
  platform?: string[];
  referrers: boolean;
}

async function exportAll(names: string[], flags: ExportFlags, command: Command): Promise<void> {
  const session = await openSession(command);
  const { progress, now, signal } = session;
  progress.step('export');
  const { images, blobs, bytes, leftOut } = await withStore(session, (store) =>
    exportLayout({ catalog: store.catalog('oci'), blobs: store.blobs, now }, names, flags.to, {
      platforms: flags.platform,
      referrers: flags.referrers,
      signal,
      written: (label, size) => progress.advance({ count: 1, bytes: size, label }),
    }),
  );
  progress.finish();
  if (session.json) {
    process.stdout.write(`${JSON.stringify({ event: 'exported', to: flags.to, images, blobs, bytes, leftOut })}\n`);
    return;
  }
  for (const { name, digest } of images) process.stdout.write(`${name}  ${digest}\n`);
  if (leftOut.length > 0) process.stdout.write(`left out, not held or not asked for: ${leftOut.join(', ')}\n`);
  process.stdout.write(`${flags.to}: ${images.length} images, ${blobs} blobs, ${shownBytes(bytes)}\n`);
}

async function importAll(paths: string[], options: { as?: string }, command: Command): Promise<void> {
  const session = await openSession(command);
  const { progress, now, signal, json } = session;
  const settings = (session.config.services.get('oci')?.settings as OciConfig | undefined) ?? configSchema.parse({});
  progress.step('import');
  await withStore(session, async (store) => {
    const rooms = { catalog: store.catalog('oci'), blobs: store.blobs, now };
    for (const path of paths) {
      const brought = (label: string, bytes: number) => progress.advance({ count: 1, bytes, label });
      tell(path, await importArchive(rooms, settings, path, { ...options, signal, brought }), json);
    }
  });
  progress.finish();
}

function tell(path: string, { images, blobs, bytes }: Imported, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ event: 'imported', path, images, blobs, bytes })}\n`);
    return;
  }
  for (const { name, digest } of images) process.stdout.write(`${name}  ${digest}\n`);
  process.stdout.write(`${path}: ${images.length} images, ${blobs} blobs that were new, ${shownBytes(bytes)}\n`);
}

import type { Command } from 'commander';
import { importArchive } from '../../oci/archives/import-archive.ts';
import type { Imported } from '../../oci/archives/importing.ts';
import { configSchema, type OciConfig } from '../../oci/config.ts';
import { shownBytes } from '../progress.ts';
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

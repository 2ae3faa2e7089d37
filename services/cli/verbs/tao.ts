import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { MirrorError } from '../../../shared/model/errors.ts';
import { labelOf } from '../../ngc/artifact.ts';
import { type Imported, importTao } from '../../ngc/tao/import.ts';
import { checkWritten, keepMetadata, writeMetadata } from '../../ngc/tao/metadata.ts';
import { NetworkConfigs } from '../../ngc/tao/network-configs.ts';
import { type PublishedObject, publicationOf } from '../../ngc/tao/publication.ts';
import { registryPrefix } from '../../ngc/tao/tree.ts';
import { putSiteObjects } from '../../s3/site-objects.ts';
import { shownBytes } from '../progress.ts';
import { openSession, STORE_OPTION, withStore } from '../session.ts';

export function register(program: Command): void {
  const tao = program.command('tao').description("NVIDIA TAO's fine-tuning services behind the gap");
  tao
    .command('import')
    .description("brings what TAO's pretrained_models downloaded into the store: models, and datasets beside them")
    .argument('<path>', 'the folder airgapped-models or airgapped-assets, or airgapped-assets.tar.gz')
    .option('--skip-incomplete', 'leave out entries whose files are not there, instead of refusing all')
    .option('--store <place>', STORE_OPTION)
    .action(bring);
  tao
    .command('publish')
    .description('lays the models out in a bucket of the S3 face, as TAO looks for them; no bytes are copied')
    .requiredOption('--registry <path>', "TAO's LOCAL_MODEL_REGISTRY: /shared-storage/ptm/airgapped-models")
    .option('--bucket <name>', 'made when it is not there', 'tao-storage')
    .option('--data <prefix>', 'where datasets go in it', 'data')
    .option('--skip-incomplete', 'leave out entries whose files are not held, instead of refusing all')
    .option('--store <place>', STORE_OPTION)
    .action(publish);
  tao
    .command('metadata')
    .description("writes ptm_metadatas.json for TAO's models that are held, as pretrained_models would")
    .option('--network-configs <folder>', "tao-core's handlers/network_configs: without them TAO's loader lacks fields")
    .option('--to <file>', 'where (default: standard output)')
    .option('--keep', 'keep it as what "larder tao publish" publishes, merged over what was imported')
    .option('--store <place>', STORE_OPTION)
    .action(metadata);
}

async function bring(path: string, flags: { skipIncomplete?: boolean }, command: Command): Promise<void> {
  const session = await openSession(command);
  const { progress, now, signal } = session;
  progress.step('import');
  const imported = await withStore(session, (store) =>
    importTao({ catalog: store.catalog('ngc'), blobs: store.blobs, now }, path, {
      ...flags,
      signal,
      read: (label, bytes) => progress.advance({ count: 1, bytes, label }),
    }),
  );
  progress.finish();
  process.stdout.write(session.json ? `${JSON.stringify(event(imported))}\n` : words(path, imported));
}

function event({ versions, ...rest }: Imported): object {
  const said = versions.map(({ target: { artifact, version }, files }) => ({ ...artifact, version, files }));
  return { event: 'imported', ...rest, versions: said };
}

/** Names of files that are shown; there may be very many. */
const SHOWN = 20;

function words(
  path: string,
  { entries, versions, hub, datasets, bytes, leftOut, incomplete, checked }: Imported,
): string {
  const lines = [
    ...versions.map(({ target, files }) => `${labelOf(target.artifact, target.version)}  ${counted(files, 'file')}`),
    ...hub.map((folder) => `${folder}, of the model hub`),
    ...incomplete.map(({ id, why }) => `left out: entry ${id}: ${why}`),
    ...leftOut.slice(0, SHOWN).map((file) => `left out, as no entry tells of it: ${file}`),
    ...(leftOut.length > SHOWN ? [`… and ${leftOut.length - SHOWN} more`] : []),
    ...(checked === false
      ? [`there is no ${basename(path)}.sha256 beside it, so that nothing says whether it is whole`]
      : []),
    `${path}: ${[
      counted(entries, 'entry', 'entries'),
      counted(versions.length, 'version'),
      counted(hub.length, 'model of the hub', 'models of the hub'),
      counted(datasets, 'file of datasets', 'files of datasets'),
      shownBytes(bytes),
    ].join(', ')}`,
  ];
  return `${lines.join('\n')}\n`;
}

interface PublishFlags {
  registry: string;
  bucket: string;
  data: string;
  skipIncomplete?: boolean;
}

async function publish(flags: PublishFlags, command: Command): Promise<void> {
  const session = await openSession(command);
  const { progress, now, signal, services } = session;
  const { bucket, skipIncomplete } = flags;
  const [registry, data] = [registryPrefix(flags.registry), registryPrefix(flags.data)];
  if (services.some(({ shelves }) => shelves?.some((shelf) => shelf.bucket === bucket)))
    throw new MirrorError(
      'bad-request',
      'settings',
      `the bucket "${bucket}" shows what mirrors hold; take another one`,
    );
  progress.step('publish');
  const done = await withStore(session, async (store) => {
    const ngc = { catalog: store.catalog('ngc'), blobs: store.blobs, now };
    const publication = await publicationOf(ngc, { registry, data, skipIncomplete });
    const s3 = { catalog: store.catalog('s3'), blobs: store.blobs, now };
    const shown = counting(publication.objects, (label, bytes) => progress.advance({ count: 1, bytes, label }));
    const { entries, incomplete } = publication;
    return { entries, incomplete, ...(await putSiteObjects(s3, bucket, shown, { signal })) };
  });
  progress.finish();
  if (session.json) {
    process.stdout.write(
      `${JSON.stringify({ event: 'published', bucket, registry: `/${registry.slice(0, -1)}`, ...done })}\n`,
    );
    return;
  }
  for (const { id, why } of done.incomplete) process.stdout.write(`left out: entry ${id}: ${why}\n`);
  const made = done.bucketMade ? ', a bucket that was made for it' : '';
  process.stdout.write(
    `s3://${bucket}/${registry}: ${counted(done.entries, 'entry', 'entries')}; ${counted(done.written, 'object')} written, ${done.there} were there${made}\nTAO needs LOCAL_MODEL_REGISTRY=/${registry.slice(0, -1)}\n`,
  );
}

async function* counting(
  objects: AsyncIterable<PublishedObject>,
  shown: (key: string, size: number) => void,
): AsyncGenerator<PublishedObject> {
  for await (const object of objects) {
    yield object;
    shown(object.key, object.size);
  }
}

interface MetadataFlags {
  networkConfigs?: string;
  to?: string;
  keep?: boolean;
}

async function metadata(flags: MetadataFlags, command: Command): Promise<void> {
  const session = await openSession(command);
  const configs = flags.networkConfigs === undefined ? undefined : await NetworkConfigs.read(flags.networkConfigs);
  const written = await withStore(session, async (store) => {
    const place = { catalog: store.catalog('ngc'), blobs: store.blobs, now: session.now };
    const made = await writeMetadata(place, configs);
    checkWritten(made);
    if (flags.keep) await keepMetadata(place, made);
    return made;
  });
  if (flags.to !== undefined) await writeFile(flags.to, written.bytes);
  else if (!flags.keep) process.stdout.write(written.bytes);
  const notes = [
    ...written.leftOut.map(({ id, why }) => `left out: ${id}: ${why}`),
    ...(configs ? [] : ['without --network-configs its entries lack actions and dataset types, and TAO skips them']),
    `${counted(written.entries, 'entry', 'entries')}${flags.keep ? ', kept' : ''}${flags.to ? `, in ${flags.to}` : ''}`,
  ];
  process.stderr.write(`${notes.join('\n')}\n`);
}

const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

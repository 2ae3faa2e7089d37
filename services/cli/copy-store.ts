import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { MirrorError } from '../../shared/model/errors.ts';
import { openSource, openStore } from '../../shared/storage/store.ts';
import { type CopyResult, copyStore } from '../../shared/storage/store-copy.ts';
import { EXIT } from './exit.ts';
import { shownBytes, sumsTo } from './progress.ts';
import { openSession, type Session } from './session.ts';

interface CopyOptions {
  fromKeys?: string;
  toKeys?: string;
}

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

/** What `--from-keys` and `--to-keys` take, for the verb's help. */
export const KEYS_OPTION =
  "a file of two lines, an access key's id and its secret (default: the settings storeAccessKey and storeSecretKey)";

/** `larder store copy <from> <to>` */
export async function copyBetween(from: string, to: string, options: CopyOptions, command: Command): Promise<void> {
  const session = await openSession(command);
  const reading = (await keysIn('--from-keys', options.fromKeys)) ?? keysOf(session);
  const writing = (await keysIn('--to-keys', options.toKeys)) ?? keysOf(session);
  const result = await between(session, { from, to, reading, writing });
  session.progress.finish();
  if (session.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else tell(result);
  if (!result.ok) process.exitCode = EXIT.incomplete;
}

interface Way {
  from: string;
  to: string;
  reading?: Credentials;
  writing?: Credentials;
}

/** The source first: nothing is made at the target for a source that is not there. */
async function between(session: Session, { from, to, reading, writing }: Way): Promise<CopyResult> {
  const source = await openSource(from, { credentials: reading });
  try {
    // the settings' work folder belongs to the store that they name
    const { log } = session.telemetry;
    const target = await openStore(to, { now: session.now, credentials: writing, withoutLists: true, log });
    try {
      return await copyStore(source, target, { signal: session.signal, onProgress: sumsTo(session.progress) });
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

function keysOf({ config }: Session): Credentials | undefined {
  const { storeAccessKey: accessKeyId, storeSecretKey: secretAccessKey } = config.suite;
  return accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined;
}

async function keysIn(option: string, file: string | undefined): Promise<Credentials | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new MirrorError('bad-request', 'settings', `${option}: ${file} cannot be read (${error.code})`);
  });
  const [accessKeyId, secretAccessKey, ...more] = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (accessKeyId && secretAccessKey && more.length === 0)
    return { accessKeyId: accessKeyId.trim(), secretAccessKey: secretAccessKey.trim() };
  throw new MirrorError(
    'bad-request',
    'settings',
    `${option}: ${file} holds two lines, the id of an access key and its secret`,
  );
}

function tell(result: CopyResult): void {
  const { blobs, names, records, kept } = result;
  const lines = [
    `blobs    ${blobs.copied} copied (${shownBytes(blobs.bytes)}), ${blobs.there} were there`,
    `names    ${names.copied} copied, ${names.there} were there`,
    `records  ${records.copied} copied, ${records.there} were there`,
    ...kept.first.slice(0, 20).map(({ key, reason }) => `kept as it is there: ${key}: ${reason}`),
    ...(kept.count > 20 ? [`… and ${kept.count - 20} more`] : []),
    ...result.corrupt.map(
      ({ digest, reason, names: lost }) =>
        `damaged, not copied: ${digest}: ${reason} (${lost.join(', ') || 'no name'})`,
    ),
    ...result.missing.map(({ service, key, digest }) => `missing, not copied: ${service} ${key}: ${digest}`),
    ...result.damagedNames.map(({ path, reason }) => `damaged, not copied: ${path}: ${reason}`),
    ...(result.ownSecrets ? [OWN_SECRETS] : []),
    result.ok ? 'all that the source holds is at the target' : 'not all that the source holds is at the target',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

const OWN_SECRETS =
  'the target has made a secret of its own (keys/grants), which stays: access keys of S3 that were made at the source are not good there; make new ones, or delete it there and copy again';

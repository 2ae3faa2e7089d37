import { readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { MirrorError } from '../../shared/model/errors.ts';
import { type PrunePlan, planPrune } from '../oci/prune/plan.ts';
import { runPrune } from '../oci/prune/run.ts';
import { shownBytes } from './progress.ts';
import { openSession, type Session, STORE_OPTION, withStore } from './session.ts';

const DAY = 86_400;

interface PruneFlags {
  tags?: string[];
  keep?: number;
  olderThan?: number;
  untagged?: boolean;
  plan: string;
  run?: boolean;
}

/** `larder oci prune`, in two steps. */
export function registerPrune(oci: Command): void {
  oci
    .command('prune')
    .description('plans what goes by a rule and writes it down; with --run does what was written down')
    .argument('[repository...]', 'full names, * for any characters: "nvcr.io/nvidia/*"')
    .option('--tags <pattern...>', 'only tags like these')
    .option('--keep <number>', 'so many of the newest tags of a repository stay', Number)
    .option('--older-than <days>', 'what came later stays', Number)
    .option('--untagged', 'manifests that no tag leads to, too')
    .option('--plan <file>', 'where the plan is', 'prune-plan.json')
    .option('--run', 'do what the plan says')
    .option('--store <place>', STORE_OPTION)
    .action(prune);
}

async function prune(repositories: string[], flags: PruneFlags, command: Command): Promise<void> {
  const session = await openSession(command);
  if (flags.run) return run(repositories, flags, session);
  const { tags, keep, olderThan, untagged } = flags;
  for (const [name, value] of Object.entries({ keep, 'older-than': olderThan }))
    if (value !== undefined && !(value >= 0))
      throw new MirrorError('bad-request', 'settings', `--${name} takes a number, 0 or more`);
  if (repositories.length === 0)
    throw new MirrorError('bad-request', 'settings', 'say which repositories: "nvcr.io/nvidia/*", or "*" for all');
  if (!tags && keep === undefined && olderThan === undefined && !untagged)
    throw new MirrorError(
      'bad-request',
      'settings',
      'say what may go: --tags "*" for all tags, --keep 3 for all but the newest, --older-than 90, --untagged',
    );
  const onlyLoose = untagged && !tags && keep === undefined && olderThan === undefined;
  const rule = {
    repositories,
    tags: onlyLoose ? [] : tags,
    keep,
    olderThan: olderThan === undefined ? undefined : olderThan * DAY,
    untagged,
  };
  const plan = await withStore(session, (store) => planPrune(roomsOf(store, session), rule));
  await writeFile(flags.plan, `${JSON.stringify(plan, null, 2)}\n`);
  if (session.json) {
    process.stdout.write(`${JSON.stringify({ event: 'planned', file: flags.plan, ...plan })}\n`);
    return;
  }
  for (const { repository, tag, digest } of plan.tags) process.stdout.write(`${repository}:${tag}  ${digest}\n`);
  process.stdout.write(
    `${plan.tags.length} tags, ${plan.manifests.length} manifests and ${plan.blobs.length} blobs (${shownBytes(plan.bytes)}) would go\n` +
      `nothing is gone; look at ${flags.plan}, then do it with "larder oci prune --run --plan ${flags.plan}"\n`,
  );
}

const roomsOf = (
  store: Parameters<Parameters<typeof withStore>[1]>[0],
  { now }: Session,
): Parameters<typeof planPrune>[0] => ({ catalog: store.catalog('oci'), blobs: store.blobs, now });

async function run(repositories: string[], { plan: file }: PruneFlags, session: Session): Promise<void> {
  if (repositories.length > 0)
    throw new MirrorError('bad-request', 'settings', 'with --run the plan says what goes; name no repositories');
  const plan = await readPlan(file);
  const result = await withStore(session, (store) => runPrune(roomsOf(store, session), plan, session.signal));
  if (session.json) {
    process.stdout.write(`${JSON.stringify({ event: 'pruned', ...result })}\n`);
    return;
  }
  process.stdout.write(
    `${result.tags} tags, ${result.manifests} manifests and ${result.blobs} blobs (${shownBytes(result.bytes)}) are gone` +
      `${result.kept > 0 ? `; ${result.kept} are needed again and stay` : ''}\n` +
      'the bytes are free after the next "larder store gc --yes"\n',
  );
}

async function readPlan(file: string): Promise<PrunePlan> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new MirrorError('bad-request', 'settings', `there is no plan in ${file}; make one without --run`, { cause });
  });
  try {
    const plan = JSON.parse(text) as PrunePlan;
    if ([plan.tags, plan.manifests, plan.blobs].every(Array.isArray)) return plan;
  } catch {
    // said below
  }
  throw new MirrorError('bad-request', 'settings', `${file} is no plan of "larder oci prune"`);
}

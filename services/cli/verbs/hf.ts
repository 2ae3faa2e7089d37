import type { Command } from 'commander';
import { MirrorError } from '../../../shared/model/errors.ts';
import { addFolder } from '../../huggingface/add-folder.ts';
import { checkRepoId, isRevision, labelOf, type RepoType } from '../../huggingface/repo.ts';
import { shownBytes } from '../progress.ts';
import { openSession, STORE_OPTION, withStore } from '../session.ts';

export function register(program: Command): void {
  const hf = program.command('hf').description('repos of the model hub');
  hf.command('add')
    .description('makes a repo of a folder: a plain one, one of "hf download --local-dir", or a Hugging Face cache')
    .argument('<folder>')
    .requiredOption('--repo <org/name>', 'what it is to be called')
    .option('--type <type>', 'model, dataset or space', 'model')
    .option('--revision <rev>', 'the branch that gets the commit; of a cache, which of its snapshots', 'main')
    .option('--message <text>', 'what the commit says')
    .option('--private', 'only for those with a token')
    .option('--store <place>', STORE_OPTION)
    .action(add);
}

interface AddOptions {
  repo: string;
  type: string;
  revision: string;
  message?: string;
  private?: boolean;
}

async function add(folder: string, options: AddOptions, command: Command): Promise<void> {
  const session = await openSession(command);
  const { progress, now, signal } = session;
  const repo = { type: typeOf(options.type), id: checkRepoId(options.repo) };
  if (!isRevision(options.revision))
    throw new MirrorError('bad-request', 'settings', `"${options.revision}" cannot be the name of a branch`);
  progress.step('add');
  const added = await withStore(session, (store) =>
    addFolder(
      { catalog: store.catalog('huggingface'), blobs: store.blobs, now },
      {
        ...options,
        folder,
        repo,
        author: 'larder',
        signal,
        added: (label, bytes) => progress.advance({ count: 1, bytes, label }),
      },
    ),
  );
  progress.finish();
  const { sha, files, bytes, kind, known } = added;
  const from = kind === 'plain' ? 'a folder' : kind === 'cache' ? 'a cache' : 'a download';
  process.stdout.write(
    session.json
      ? `${JSON.stringify({ event: 'added', repo: repo.id, type: repo.type, ...added })}\n`
      : `${labelOf(repo)} at ${sha}: ${files} files, ${shownBytes(bytes)}, from ${from}${known ? ", with the hub's own commit" : ''}\n`,
  );
}

function typeOf(text: string): RepoType {
  const type = ({ model: 'models', dataset: 'datasets', space: 'spaces' } as Record<string, RepoType>)[text];
  if (!type) throw new MirrorError('bad-request', 'settings', `--type is model, dataset or space, and not "${text}"`);
  return type;
}

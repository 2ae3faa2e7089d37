import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { MirrorError } from '../../../shared/model/errors.ts';
import { type ArtifactVersion, labelOf, parseTarget } from '../../ngc/artifact.ts';
import { checkUnchanged, readFolder } from '../../ngc/folder.ts';
import { addVersion } from '../../ngc/local-versions.ts';
import { shownBytes } from '../progress.ts';
import { openSession, STORE_OPTION, withStore } from '../session.ts';

export function register(program: Command): void {
  const ngc = program.command('ngc').description("models and resources of NVIDIA's catalog");
  ngc
    .command('add')
    .description('makes a version of a folder: a model or a resource that every client of NGC can then have from here')
    .argument('<folder>')
    .option('--model <id>', 'what it is to be called: org/team/name:version, or org/name:version')
    .option('--resource <id>', 'the same for a resource')
    .option('--facts <file>', 'JSON with "model" and "modelVersion", as NGC answers them: description, customMetrics …')
    .option('--store <place>', STORE_OPTION)
    .action(add);
}

interface AddFlags {
  model?: string;
  resource?: string;
  facts?: string;
}

async function add(folder: string, flags: AddFlags, command: Command): Promise<void> {
  const session = await openSession(command);
  const { progress, now, signal } = session;
  const target = targetOf(flags);
  const facts = flags.facts === undefined ? {} : await readFacts(flags.facts);
  const files = await readFolder(folder);
  progress.step('add', { count: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) });
  const added = await withStore(session, async (store) => {
    const place = { catalog: store.catalog('ngc'), blobs: store.blobs, now };
    const brought = (label: string, bytes: number) => progress.advance({ count: 1, bytes, label });
    const checkFolder = () => checkUnchanged(folder, files);
    return addVersion(place, { ...target, ...facts, files }, { signal, added: brought, beforeNames: checkFolder });
  });
  progress.finish();
  const { artifact, version } = target;
  process.stdout.write(
    session.json
      ? `${JSON.stringify({ event: 'added', ...artifact, version, ...added })}\n`
      : `${labelOf(artifact, version)}: ${added.files} files, ${shownBytes(added.bytes)}\n`,
  );
}

function targetOf({ model, resource }: AddFlags): ArtifactVersion {
  if ((model === undefined) === (resource === undefined))
    throw new MirrorError('bad-request', 'settings', 'say what it is to be called: with --model, or with --resource');
  return model === undefined ? parseTarget('resources', resource!) : parseTarget('models', model);
}

const fields = z.record(z.string(), z.unknown()).optional();
const factsSchema = z.object({ model: fields, modelVersion: fields, recipe: fields, recipeVersion: fields });

async function readFacts(file: string) {
  try {
    const { model, modelVersion, recipe, recipeVersion } = factsSchema.parse(JSON.parse(await readFile(file, 'utf8')));
    return { model: model ?? recipe, facts: modelVersion ?? recipeVersion };
  } catch (cause) {
    const why = 'is to be JSON like {"model": {…}, "modelVersion": {…}}';
    throw new MirrorError('bad-request', 'settings', `${file} ${why}`, { cause });
  }
}

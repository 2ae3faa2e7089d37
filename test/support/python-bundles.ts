import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { service } from '../../services/pypi/service.ts';
import { createBundle } from '../../shared/bundle/create.ts';
import type { Failed, ResolvedItem } from '../../shared/bundle/create-options.ts';
import { parseManifest } from '../../shared/bundle/manifest.ts';
import { openBundle } from '../../shared/bundle/open.ts';
import { type Config, loadConfig } from '../../shared/config/load.ts';
import { gather, itemTypes, proveItems } from '../../shared/service/gather.ts';
import { withBundle, withProviders } from '../../shared/service/providers.ts';
import type { Service } from '../../shared/service/service.ts';
import { createTelemetry } from '../../shared/telemetry/telemetry.ts';

export const NOW = Date.parse('2026-11-23T12:00:00Z');

const services = [service as Service<unknown>];

export interface ProveOptions {
  /** Makes holes in the bundle. */
  dig?(items: ResolvedItem[]): ResolvedItem[];
  /** Proven instead of what was gathered. */
  instead?: unknown;
}

export interface Workbench {
  folder: string;
  /** What the resolver and the proof said on the way. */
  notes: string[];
  /** Writes files beside the manifest. */
  write(files: Record<string, string>): Promise<void>;
  /** Resolves an item of type `python`, and holds all of it. Throws what refuses it. */
  gather(python: unknown): Promise<{ items: ResolvedItem[]; failed: Failed[] }>;
  /** The same, written as a bundle and proven. */
  prove(python: unknown, options?: ProveOptions): Promise<Failed[]>;
  close(): Promise<void>;
}

/** A program that passes for uv, for as long as the workbench lives: what it does with `uv pip compile requirements.in …`. */
export async function passingForUv(folder: string, name: string, script: string): Promise<string> {
  const program = join(folder, name);
  await writeFile(program, `#!/bin/sh\nif [ "$1" = --version ]; then echo "uv 0.0.0"; exit; fi\n${script}\n`);
  await chmod(program, 0o755);
  return program;
}

/** A connected Larder over test indexes, with its bundles. */
export async function pythonWorkbench(
  pypi: Record<string, unknown>,
  more: Record<string, unknown> = {},
): Promise<Workbench> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-python-'));
  const overrides = { store: join(folder, 'store'), pypi, ...more };
  const config: Config = loadConfig({ env: {}, sections: services, overrides });
  const suite = { config, services, telemetry: createTelemetry({ level: 'silent' }), now: () => NOW, version: 'test' };
  const notes: string[] = [];
  let made = 0;
  const optionsFor = async (python: unknown) => {
    made += 1;
    const workDir = join(folder, `work-${made}`);
    await mkdir(workDir);
    const text = JSON.stringify({ format: 'larder-manifest/1', name: 'test', items: [{ python }] });
    const { items, defaults } = parseManifest(text, itemTypes(services), 'bundle.yaml');
    const note = (message: string) => void notes.push(message);
    return { text, items, defaults, baseDir: folder, workDir, note, signal: AbortSignal.timeout(120_000) };
  };
  return {
    folder,
    notes,
    async write(files) {
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    },
    async gather(python) {
      const options = await optionsFor(python);
      return withProviders(suite, async (providers) => {
        const failed: Failed[] = [];
        const items = await Array.fromAsync(gather({ ...options, providers, failed }));
        return { items, failed };
      });
    },
    async prove(python, { dig = (items: ResolvedItem[]) => items, instead = python } = {}) {
      const options = await optionsFor(python);
      const target = join(folder, `bundle-${made}`);
      const proven = await optionsFor(instead);
      await withProviders(suite, async (providers, store) => {
        const failed: Failed[] = [];
        const items = dig(await Array.fromAsync(gather({ ...options, providers, failed })));
        const { text: manifestText } = options;
        await createBundle({ id: 'test', manifestText, items, failed, store, target, now: suite.now, tool: 'test' });
      });
      return withBundle(await openBundle(target), suite, (providers) => proveItems({ ...proven, providers }));
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { service } from '../../services/npm/service.ts';
import { createBundle } from '../../shared/bundle/create.ts';
import type { Failed, ResolvedItem } from '../../shared/bundle/create-options.ts';
import { parseManifest } from '../../shared/bundle/manifest.ts';
import { openBundle } from '../../shared/bundle/open.ts';
import { type Config, loadConfig } from '../../shared/config/load.ts';
import { gather, itemTypes, proveItems } from '../../shared/service/gather.ts';
import { withBundle, withProviders } from '../../shared/service/providers.ts';
import type { Service } from '../../shared/service/service.ts';
import { createTelemetry } from '../../shared/telemetry/telemetry.ts';
import { NOW } from './bundles.ts';

const services = [service as Service<unknown>];

export interface ProveOptions {
  /** Makes holes in the bundle. */
  dig?(items: ResolvedItem[]): ResolvedItem[];
  /** Happens between the gathering and the bundle. */
  tamper?(): Promise<void>;
  /** Proven instead of what was gathered, by somebody who knows nothing of that. */
  instead?: unknown;
}

export interface NpmWorkbench {
  /** The manifest's. */
  folder: string;
  /** What was said on the way. */
  notes: string[];
  /** Writes files beside the manifest. */
  write(files: Record<string, unknown>): Promise<void>;
  /** Resolves an item of type `npm`, and holds all of it. Throws what refuses it. */
  gather(npm: unknown, defaults?: unknown): Promise<{ items: ResolvedItem[]; failed: Failed[] }>;
  /** The same, written as a bundle and proven. */
  prove(npm: unknown, options?: ProveOptions): Promise<Failed[]>;
  close(): Promise<void>;
}

/** A connected Larder over a registry of tests, with its bundles. */
export async function npmWorkbench(npm: Record<string, unknown>): Promise<NpmWorkbench> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-npm-'));
  const config: Config = loadConfig({ env: {}, sections: services, overrides: { store: join(folder, 'store'), npm } });
  const suite = { config, services, telemetry: createTelemetry({ level: 'silent' }), now: () => NOW, version: 'test' };
  const notes: string[] = [];
  let made = 0;
  const optionsFor = async (item: unknown, platforms?: unknown) => {
    made += 1;
    const workDir = join(folder, `work-${made}`);
    await mkdir(workDir);
    const defaults = platforms === undefined ? {} : { defaults: { platforms: { npm: platforms } } };
    const text = JSON.stringify({ format: 'larder-manifest/1', name: 'test', ...defaults, items: [{ npm: item }] });
    const manifest = parseManifest(text, itemTypes(services), 'bundle.yaml');
    const note = (message: string) => void notes.push(message);
    const { items } = manifest;
    return {
      text,
      items,
      defaults: manifest.defaults,
      baseDir: folder,
      workDir,
      note,
      signal: AbortSignal.timeout(120_000),
    };
  };
  return {
    folder,
    notes,
    async write(files) {
      for (const [name, body] of Object.entries(files)) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await writeFile(join(folder, name), typeof body === 'string' ? body : JSON.stringify(body));
      }
    },
    async gather(item, defaults) {
      const options = await optionsFor(item, defaults);
      return withProviders(suite, async (providers) => {
        const failed: Failed[] = [];
        const items = await Array.fromAsync(gather({ ...options, providers, failed }));
        return { items, failed };
      });
    },
    async prove(item, { dig = (items: ResolvedItem[]) => items, tamper, instead } = {}) {
      const options = await optionsFor(item);
      const target = join(folder, `bundle-${made}`);
      const proven = instead === undefined ? options : await optionsFor(instead);
      await withProviders(suite, async (providers, store) => {
        const failed: Failed[] = [];
        const items = dig(await Array.fromAsync(gather({ ...options, providers, failed })));
        await tamper?.();
        const { text: manifestText } = options;
        await createBundle({ id: 'test', manifestText, items, failed, store, target, now: suite.now, tool: 'test' });
      });
      return withBundle(await openBundle(target), suite, (providers) => proveItems({ ...proven, providers }));
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

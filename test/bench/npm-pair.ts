import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SpawnedLarder, spawnLarder } from '../support/spawn-larder.ts';
import type { Peer } from './measure.ts';
import { type MadePackage, startContentOrigin } from './npm-content.ts';
import { startVerdaccio } from './npm-verdaccio.ts';

/** Larder in front of an origin in memory, beside Verdaccio that has the same packages published in it. */
export interface NpmPair {
  /** For what else is needed; goes at the end. */
  folder: string;
  origin: Awaited<ReturnType<typeof startContentOrigin>>;
  larder: SpawnedLarder;
  verdaccio: Peer;
  close(): Promise<void>;
}

export async function startNpmPair(packages: readonly MadePackage[]): Promise<NpmPair> {
  const folder = await mkdtemp(join(tmpdir(), 'larder-bench-'));
  const origin = await startContentOrigin(packages);
  const larder = await spawnLarder({
    store: join(folder, 'larder'),
    env: {
      LARDER_NPM_ORIGINS: JSON.stringify([{ name: 'npm', url: `${origin.url}/` }]),
      LARDER_NPM_FRESH_SECONDS: '86400',
      LARDER_LOG_LEVEL: 'warn',
    },
  });
  const verdaccio = await startVerdaccio(join(folder, 'verdaccio'), packages);
  const close = async () => {
    await verdaccio.stop();
    await larder.stop();
    await origin.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, origin, larder, verdaccio, close };
}

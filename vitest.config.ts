import { defineConfig } from 'vitest/config';

/** What happens by itself is waited for, also on a machine that is busy; the limit of a test is beyond it. */
const expect = { poll: { timeout: 15_000 } };

/** One project per npm script; only `unit` is what `npm test` runs, so a newcomer's first run needs nothing but npm. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/*.test.ts',
            'test/shared/**/*.test.ts',
            'test/services/**/*.test.ts',
            'test/conformance/**/*.test.ts',
          ],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect,
        },
      },
      {
        test: {
          name: 'engine',
          include: ['test/engine/**/*.test.ts'],
          // in CI the clients go first
          testTimeout: 300_000,
          hookTimeout: 1_200_000,
          fileParallelism: false,
        },
      },
      // the tests of S3 as they stand, over an engine
      {
        test: {
          name: 'engine-s3',
          include: ['test/services/s3/{access,checksums,forms,lists,objects,uploads}.test.ts'],
          globalSetup: 'test/engine/s3-setup.ts',
          testTimeout: 180_000,
          hookTimeout: 300_000,
          expect,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'clients',
          include: ['test/clients/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

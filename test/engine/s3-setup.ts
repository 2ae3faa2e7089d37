import type { TestProject } from 'vitest/node';
import { makeBucket } from '../support/engines.ts';
import { startSeaweedfs } from '../support/seaweedfs.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A store on an engine for tests that keep theirs in a folder otherwise. */
    engineStore?: string;
  }
}

/** One engine for all files of the project: the tests of S3 run over it as they stand. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engine = await startSeaweedfs();
  project.provide('engineStore', await makeBucket(engine, 'site'));
  return () => engine.close();
}

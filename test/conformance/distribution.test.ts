import { afterAll, beforeAll, describe } from 'vitest';
import { pullConformance } from './distribution/pull.ts';
import { rangeConformance } from './distribution/ranges.ts';
import { type Site, startSite } from './distribution/site.ts';

/**
 * The registry against distribution-spec: every MUST and SHOULD of 1.1.1, and what its main branch adds (967efdc). Each
 * test quotes what it holds the registry to.
 */
describe('distribution-spec', () => {
  let site: Site;
  const use = () => site;

  beforeAll(async () => {
    site = await startSite();
  });
  afterAll(() => site?.close());

  pullConformance(use);
  rangeConformance(use);
});

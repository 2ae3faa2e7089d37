import { afterAll, beforeAll, describe } from 'vitest';
import { deletionConformance } from './distribution/deletion.ts';
import { answerConformance, errorConformance } from './distribution/errors.ts';
import { manifestCheckConformance } from './distribution/manifest-checks.ts';
import { manifestConformance } from './distribution/manifests.ts';
import { mountConformance } from './distribution/mounts.ts';
import { proxiedReferrerConformance } from './distribution/proxied-referrers.ts';
import { proxyConformance } from './distribution/proxying.ts';
import { pullConformance } from './distribution/pull.ts';
import { pushConformance } from './distribution/push.ts';
import { rangeConformance } from './distribution/ranges.ts';
import { referrerPageConformance } from './distribution/referrer-pages.ts';
import { referrerConformance } from './distribution/referrers.ts';
import { type Site, startSite } from './distribution/site.ts';
import { tagConformance } from './distribution/tags.ts';
import { tokenConformance } from './distribution/tokens.ts';
import { uploadConformance } from './distribution/uploads.ts';

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
  pushConformance(use);
  uploadConformance(use);
  mountConformance(use);
  manifestConformance(use);
  manifestCheckConformance(use);
  tagConformance(use);
  referrerConformance(use);
  referrerPageConformance(use);
  deletionConformance(use);
  errorConformance(use);
  tokenConformance(use);
  proxyConformance(use);
  proxiedReferrerConformance(use);
  answerConformance(use);
});

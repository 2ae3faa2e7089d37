import { randomBytes } from 'node:crypto';
import { NpmOrigin } from '../support/npm-origin.ts';
import type { OriginServer } from '../support/origin-server.ts';
import type { ServiceSample } from './service.ts';

/** Two versions of one package. */
export function npmSample(origin: OriginServer): ServiceSample {
  const registry = new NpmOrigin(origin);
  const files = ['1.0.0', '2.0.0'].map((version) => {
    const built = registry.publish({ name: '@site/sample', version, files: { 'data.bin': randomBytes(300_000) } });
    const path = `/@site/sample/-/sample-${version}.tgz`;
    return { path, originPath: registry.tarballPath('@site/sample', version), bytes: built.bytes };
  });
  return {
    env: { LARDER_NPM_ORIGINS: JSON.stringify([{ name: 'npm', url: registry.url }]) },
    files: [files[0]!, files[1]!],
    page: { path: '/@site/sample', originPath: registry.packumentPath('@site/sample') },
    absent: '/nobody-has-this',
    item: { npm: '@site/sample@1.0.0' },
  };
}

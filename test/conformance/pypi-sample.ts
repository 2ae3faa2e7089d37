import { randomBytes } from 'node:crypto';
import type { OriginServer } from '../support/origin-server.ts';
import { PackageIndex } from '../support/package-index.ts';
import { buildWheel } from '../support/wheels.ts';
import type { ServiceSample } from './service.ts';

/** Two wheels of one project. */
export function pypiSample(origin: OriginServer): ServiceSample {
  const index = new PackageIndex(origin);
  const files = ['1.0', '2.0'].map((version) => {
    const wheel = index.offer(buildWheel({ name: 'sample', version, files: { 'data.bin': randomBytes(300_000) } }));
    const path = `/files/pypi/sample/${wheel.filename}`;
    return { path, originPath: `/files/${wheel.filename}`, bytes: wheel.bytes };
  });
  return {
    env: { LARDER_PYPI_ORIGINS: JSON.stringify([{ name: 'pypi', url: index.url }]) },
    files: [files[0]!, files[1]!],
    page: { path: '/simple/sample/', originPath: '/simple/sample/' },
    absent: '/simple/nobody-has-this/',
    item: { python: { packages: ['sample==1.0'], lock: true } },
  };
}

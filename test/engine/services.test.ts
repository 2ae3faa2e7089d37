import { afterAll, beforeAll, describe } from 'vitest';
import { hubSample } from '../conformance/huggingface-sample.ts';
import { ngcSample } from '../conformance/ngc-sample.ts';
import { npmSample } from '../conformance/npm-sample.ts';
import { imageSample } from '../conformance/oci-sample.ts';
import { pypiSample } from '../conformance/pypi-sample.ts';
import { serviceConformance } from '../conformance/service.ts';
import { type Engine, makeBucket, STORE_KEYS, startVersitygw } from '../support/engines.ts';
import { startSeaweedfs } from '../support/seaweedfs.ts';

const engines: [name: string, start: () => Promise<Engine>][] = [
  ['versitygw', startVersitygw],
  ['SeaweedFS', startSeaweedfs],
];

describe.each(engines)('on %s', (_name, start) => {
  let engine: Engine;
  let bucket: string;

  beforeAll(async () => {
    engine = await start();
    bucket = await makeBucket(engine, 'services');
  });

  afterAll(() => engine?.close());

  /** Folders of one bucket. */
  const storesOf = (service: string) => async () => ({
    location: (name: string) => bucket.replace('/larder?', `/${service}-${name}?`),
    env: STORE_KEYS,
    close: async () => {},
  });

  serviceConformance('pypi', pypiSample, storesOf('pypi'));
  serviceConformance('huggingface', hubSample, storesOf('huggingface'));
  serviceConformance('ngc', ngcSample, storesOf('ngc'));
  serviceConformance('oci', imageSample, storesOf('oci'));
  serviceConformance('npm', npmSample, storesOf('npm'));
});

import { S3Store } from '../../shared/storage/s3-store.ts';
import { objectStoreConformance } from '../conformance/object-store.ts';
import { CREDENTIALS, type Engine, makeBucket } from '../support/engines.ts';

/** The suite of every object store, over a bucket of an engine that is started for it. */
export function engineConformance(
  start: () => Promise<Engine>,
  name: string,
  options?: Parameters<typeof objectStoreConformance>[2],
): void {
  const open = async () => {
    const engine = await start();
    const bucket = 'conformance';
    await makeBucket(engine, bucket);
    const { endpoint } = engine;
    const store = await S3Store.open({ bucket, prefix: 'larder/', endpoint, region: 'us-east-1', ...CREDENTIALS });
    const close = async () => {
      await store.close();
      await engine.close();
    };
    return { store, close };
  };
  objectStoreConformance(`a bucket of ${name}`, open, options);
}

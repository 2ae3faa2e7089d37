import type { Service } from '../../shared/service/service.ts';
import { nowhere } from '../../shared/upstream/nowhere.ts';
import { configSchema, type S3Config } from './config.ts';
import { renderError } from './errors.ts';
import { routes } from './routes.ts';

/** The store as S3: buckets and objects of the site's own. */
export const service: Service<S3Config> = {
  name: 's3',
  defaultPort: 9000,
  configSchema,
  upstream: () => nowhere(),
  routes,
  plain: true,
  renderError,
  clientHint: (url) => `aws --endpoint-url ${url} s3 ls`,
};

import { oncePer } from '../../shared/model/remembered.ts';
import type { Service } from '../../shared/service/service.ts';
import { bundling } from './closure.ts';
import { configSchema, type OciConfig } from './config.ts';
import { renderError } from './errors.ts';
import { RateLimits } from './rate-limits.ts';
import { routes } from './routes.ts';
import { ociUpstream } from './upstream.ts';

/** By the settings of a running service: several may run in one process. */
const limitsOf = oncePer((_config: OciConfig) => new RateLimits());

/** A registry of container images and of all else that is kept like them. */
export const service: Service<OciConfig> = {
  name: 'oci',
  defaultPort: 5000,
  configSchema,
  upstream: (config, origins) => ociUpstream(config, limitsOf(config), origins),
  routes: (context) => routes(context, limitsOf(context.config)),
  renderError,
  bundling: bundling(),
  clientHint: (url) => `docker pull ${new URL(url).host}/docker.io/library/busybox`,
};

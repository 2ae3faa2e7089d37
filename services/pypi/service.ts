import type { Context, Service } from '../../shared/service/service.ts';
import { bundling } from './closure.ts';
import { configSchema, type PypiConfig } from './config.ts';
import { renderError } from './errors.ts';
import { Origins } from './origins.ts';
import { routes } from './routes.ts';
import { pypiUpstream } from './upstream.ts';

const originsOf = new WeakMap<PypiConfig, Origins>();

/** One reading of the origins per configuration: the upstream asks them, the routes list them. */
export function originsFor(config: PypiConfig): Origins {
  const origins = originsOf.get(config) ?? new Origins(config);
  originsOf.set(config, origins);
  return origins;
}

/** A Python package index (PEP 503, 691, 700, 714, 740, 792). */
export const service: Service<PypiConfig> = {
  name: 'pypi',
  defaultPort: 8082,
  configSchema,
  upstream: (config, http) => pypiUpstream(originsFor(config), http),
  routes: (context: Context<PypiConfig>) => routes(context, originsFor(context.config)),
  renderError,
  bundling: bundling(originsFor),
  clientHint: (url) => `pip install --index-url ${url}/simple/ <package>`,
};

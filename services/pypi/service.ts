import type { Ref } from '../../shared/model/ref.ts';
import { oncePer } from '../../shared/model/remembered.ts';
import type { Context, Service } from '../../shared/service/service.ts';
import { withAllowList } from '../../shared/upstream/allow-list.ts';
import { bundling } from './closure.ts';
import { configSchema, type PypiConfig } from './config.ts';
import { renderError } from './errors.ts';
import { Origins } from './origins.ts';
import { Policy } from './policy.ts';
import { routes } from './routes.ts';
import { wheels } from './shelf.ts';
import { pypiUpstream } from './upstream.ts';

/** One reading of the origins per configuration: the upstream asks them, the routes list them. */
export const originsFor = oncePer((config: PypiConfig) => new Origins(config));

/** The last lock on the way out: a private name is never asked for, whoever forgot to ask the policy. */
function privateNames(config: PypiConfig): (ref: Ref) => string | undefined {
  const policy = new Policy(config, Date.now);
  return ({ key }) => {
    const project = key.split('/')[2] ?? '';
    return policy.isPrivate(project) ? 'private names are never asked for upstream (pypi.private)' : undefined;
  };
}

/** A Python package index (PEP 503, 691, 700, 714, 740, 792). */
export const service: Service<PypiConfig> = {
  name: 'pypi',
  defaultPort: 8082,
  configSchema,
  upstream: (config, http) => withAllowList(pypiUpstream(originsFor(config), http), privateNames(config)),
  routes: (context: Context<PypiConfig>) => routes(context, originsFor(context.config)),
  renderError,
  bundling: bundling(originsFor),
  shelves: [wheels],
  clientHint: (url) => `pip install --index-url ${url}/simple/ <package>`,
};

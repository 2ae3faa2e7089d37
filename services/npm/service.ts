import type { Ref } from '../../shared/model/ref.ts';
import { oncePer } from '../../shared/model/remembered.ts';
import type { Context, Service } from '../../shared/service/service.ts';
import { withAllowList } from '../../shared/upstream/allow-list.ts';
import { bundling } from './closure.ts';
import { configSchema, type NpmConfig } from './config.ts';
import { renderError } from './errors.ts';
import { Origins } from './origins.ts';
import { Policy } from './policy.ts';
import { nameInKey } from './refs.ts';
import { roomsOf } from './rooms.ts';
import { routes } from './routes.ts';
import { packages } from './shelf.ts';
import { npmUpstream } from './upstream.ts';

/** One reading of the origins per configuration: the upstream asks them, the routes list them. */
export const originsFor = oncePer((config: NpmConfig) => new Origins(config));

/** The last lock on the way out: a private name is never asked for, whoever forgot to ask the policy. */
function privateNames(config: NpmConfig): (ref: Ref) => string | undefined {
  const policy = new Policy(config, Date.now);
  return ({ key }) => {
    const name = nameInKey(key);
    const isPrivate = name !== undefined && policy.isPrivate(name);
    return isPrivate ? 'private names are never asked for upstream (npm.private)' : undefined;
  };
}

/** A registry of npm packages: the read path is ours, what is written goes through Verdaccio. */
export const service: Service<NpmConfig> = {
  name: 'npm',
  defaultPort: 4873,
  configSchema,
  upstream: (config, http) => withAllowList(npmUpstream(originsFor(config), http), privateNames(config)),
  routes: (context: Context<NpmConfig>) => routes(context, originsFor(context.config)),
  renderError,
  bundling: bundling((context) => roomsOf(context, originsFor(context.config))),
  shelves: [packages],
  clientHint: (url) => `npm install --registry ${url}/ <package>`,
};

import type { Service } from '../../shared/service/service.ts';
import { bundling } from './closure.ts';
import { configSchema, type NgcConfig } from './config.ts';
import { renderError } from './errors.ts';
import { nimShelf } from './nim/shelf.ts';
import { routes } from './routes.ts';
import { versions } from './shelf.ts';
import { ngcUpstream } from './upstream.ts';

/** A catalog of models and resources, as the clients of NVIDIA's NGC speak to it. */
export const service: Service<NgcConfig> = {
  name: 'ngc',
  defaultPort: 8083,
  configSchema,
  upstream: ngcUpstream,
  routes,
  renderError,
  bundling: bundling(),
  shelves: [versions(), nimShelf],
  clientHint: (url) =>
    `wget --content-disposition ${url}/v2/models/<org>/<team>/<name>/versions/<version>/files/<path>`,
};

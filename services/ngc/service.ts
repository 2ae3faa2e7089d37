import type { Service } from '../../shared/service/service.ts';
import { configSchema, type NgcConfig } from './config.ts';
import { renderError } from './errors.ts';
import { nimShelf } from './nim/shelf.ts';
import { routes } from './routes.ts';
import { ngcUpstream } from './upstream.ts';

/** A catalog of models and resources, as the clients of NVIDIA's NGC speak to it. */
export const service: Service<NgcConfig> = {
  name: 'ngc',
  defaultPort: 8083,
  configSchema,
  upstream: ngcUpstream,
  routes,
  renderError,
  shelves: [nimShelf],
  clientHint: (url) =>
    `wget --content-disposition ${url}/v2/models/<org>/<team>/<name>/versions/<version>/files/<path>`,
};

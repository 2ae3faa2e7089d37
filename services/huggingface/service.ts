import type { Service } from '../../shared/service/service.ts';
import { bundling } from './closure.ts';
import { configSchema, type HuggingfaceConfig } from './config.ts';
import { renderError } from './errors.ts';
import { routes } from './routes.ts';
import { models } from './shelf.ts';
import { hubUpstream } from './upstream.ts';

/** A model hub, as the clients of Hugging Face's speak to it. */
export const service: Service<HuggingfaceConfig> = {
  name: 'huggingface',
  defaultPort: 8081,
  configSchema,
  upstream: hubUpstream,
  routes,
  renderError,
  bundling: bundling(),
  shelves: [models()],
  clientHint: (url) => `HF_ENDPOINT=${url} hf download <org/name>`,
};

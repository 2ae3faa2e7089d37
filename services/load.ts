import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Service } from '../shared/service/service.ts';

/** Rooms beside the services. */
const NOT_SERVICES = new Set(['cli', 'gateway']);

/** Names of all services: a folder here with a `service.ts` is one. */
export async function serviceNames(): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(import.meta.dirname, { withFileTypes: true })) {
    if (!entry.isDirectory() || NOT_SERVICES.has(entry.name)) continue;
    const isService = await access(join(import.meta.dirname, entry.name, 'service.ts')).then(
      () => true,
      () => false,
    );
    if (isService) names.push(entry.name);
  }
  return names.sort();
}

/** The service of this name: the one dynamic import of the house. */
export async function loadService(name: string): Promise<Service<unknown>> {
  const { service } = (await import(`./${name}/service.ts`)) as { service: Service<unknown> };
  return service;
}

export async function loadServices(): Promise<Service<unknown>[]> {
  return Promise.all((await serviceNames()).map(loadService));
}

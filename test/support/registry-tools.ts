import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from './bundles.ts';
import { type ContainerTool, containerTool } from './container-tools.ts';
import type { ImageSite } from './image-site.ts';
import { type Ran, runCommand } from './python-clients.ts';

/** Programs that speak to registries, with a home, logins and settings of their own. */
export interface RegistryTools {
  /** Says who we are to the Larder at this place, in the files that they read. */
  stand(host: string): Promise<void>;
  /** From now on they run in the gap. */
  enterTheGap(): void;
  attempt(tool: ContainerTool, args: readonly string[]): Promise<Ran>;
  /** The same, and it must work. @returns what it printed */
  run(tool: ContainerTool, ...args: readonly string[]): Promise<string>;
  /** A file in their folder, where they run. */
  at(name: string): string;
  remove(): Promise<void>;
}

export async function registryTools(site: ImageSite): Promise<RegistryTools> {
  const folder = await temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  const docker = at('.docker');
  await mkdir(docker, { recursive: true });
  const env = {
    PATH: process.env.PATH,
    HOME: folder.path,
    DOCKER_CONFIG: docker,
    REGISTRY_AUTH_FILE: join(docker, 'config.json'),
    REGCTL_CONFIG: at('regctl.json'),
    HELM_REGISTRY_CONFIG: join(docker, 'config.json'),
    COSIGN_PASSWORD: '',
    STORAGE_DRIVER: 'vfs',
  };
  let gapped = false;
  const attempt = async (tool: ContainerTool, args: readonly string[]) => {
    const program = await containerTool(tool);
    const [command, all] = gapped ? site.inside(program, args) : [program, [...args]];
    return runCommand(command, all, { env, cwd: folder.path, timeout: 60_000 });
  };
  return {
    at,
    attempt,
    async stand(host) {
      const auth = Buffer.from(`ci:${site.token}`).toString('base64');
      await writeFile(join(docker, 'config.json'), JSON.stringify({ auths: { [host]: { auth } } }));
      const regctl = { hosts: { [host]: { tls: 'disabled', user: 'ci', pass: site.token } } };
      await writeFile(at('regctl.json'), JSON.stringify(regctl));
    },
    enterTheGap: () => {
      gapped = true;
    },
    async run(tool, ...args) {
      const { code, stdout, stderr } = await attempt(tool, args);
      expect(`${tool} ${args[0]}: ${code}${code === 0 ? '' : ` ${stderr.slice(-2000)}`}`).toBe(`${tool} ${args[0]}: 0`);
      return stdout;
    },
    remove: folder.remove,
  };
}

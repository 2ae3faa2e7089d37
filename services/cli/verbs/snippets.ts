import { hostname } from 'node:os';
import type { Command } from 'commander';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { OciConfig } from '../../oci/config.ts';
import type { S3Config } from '../../s3/config.ts';
import { openSession, type Session } from '../session.ts';
import { javascript, llamacpp, ollama, rust, transformers, vllm } from '../snippets/clients.ts';
import { containerd, docker, podman } from '../snippets/images.ts';
import { kserve } from '../snippets/kserve.ts';
import { mlis } from '../snippets/mlis.ts';
import { nim } from '../snippets/nim.ts';
import { npm } from '../snippets/npm.ts';
import type { Site, Snippet } from '../snippets/site.ts';
import { tao } from '../snippets/tao.ts';

const SNIPPETS: Record<string, Snippet> = {
  mlis,
  kserve,
  transformers,
  vllm,
  llamacpp,
  ollama,
  javascript,
  rust,
  nim,
  npm,
  docker,
  containerd,
  podman,
  tao,
};

export function register(program: Command): void {
  program
    .command('snippets')
    .description("prints a client's settings with this site's own addresses")
    .argument('[client]', Object.keys(SNIPPETS).join(', '))
    .action(async (client: string | undefined, _options, command: Command) => {
      const session = await openSession(command);
      process.stdout.write(client === undefined ? overview() : snippetOf(client).text(siteOf(session)));
    });
}

function overview(): string {
  const width = Math.max(...Object.keys(SNIPPETS).map((name) => name.length));
  return Object.entries(SNIPPETS)
    .map(([name, { about }]) => `larder snippets ${name.padEnd(width)}  ${about}\n`)
    .join('');
}

function snippetOf(client: string): Snippet {
  const snippet = SNIPPETS[client];
  if (snippet) return snippet;
  const known = Object.keys(SNIPPETS).join(', ');
  throw new MirrorError('bad-request', 'settings', `there is no snippet for "${client}"; there is ${known}`);
}

/** As the settings say; else this machine by its name, which others may or may not know. */
function siteOf({ config }: Session): Site {
  const urlOf = (service: string) => {
    const { listener } = config.services.get(service)!;
    const { port, tlsPort } = listener;
    const own = tlsPort === undefined ? `http://${hostname()}:${port}` : `https://${hostname()}:${tlsPort}`;
    const url = listener.publicUrl ?? config.suite.publicUrl ?? own;
    return url.replace(/\/+$/, '');
  };
  const { registries } = config.services.get('oci')!.settings as OciConfig;
  const { domains, region } = config.services.get('s3')!.settings as S3Config;
  return {
    hf: urlOf('huggingface'),
    pypi: urlOf('pypi'),
    oci: urlOf('oci'),
    ngc: urlOf('ngc'),
    npm: urlOf('npm'),
    s3: urlOf('s3'),
    s3Domains: domains,
    s3Region: region,
    registries: registries.map(({ name }) => name),
  };
}

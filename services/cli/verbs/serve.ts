import { once } from 'node:events';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { MirrorError } from '../../../shared/model/errors.ts';
import { type RunningSuite, serve } from '../../../shared/service/serve.ts';
import { openSession, type Session, STORE_OPTION } from '../session.ts';
import { version } from '../version.ts';

export function register(program: Command): void {
  program
    .command('serve')
    .description('serves; all services unless some are named')
    .argument('[service...]', 'services to serve')
    .option('--store <place>', STORE_OPTION)
    .action(async (names: string[], _options, command: Command) => {
      const session = await openSession(command, { server: true });
      const services = chosen(session, names);
      const suite = await serve({ ...session, services, known: session.services, version: version() });
      process.stdout.write(startBlock(session, suite));
      await stopped(session.signal);
      session.telemetry.log.info({ event: 'stop' }, 'finishing what is under way');
      await suite.close();
    });
}

/** The wish to stop may have come while it was starting. */
async function stopped(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

function chosen(session: Session, names: readonly string[]): Session['services'] {
  const known = session.services.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new MirrorError(
      'bad-request',
      'settings',
      `there is no service ${unknown.join(', ')}; there is ${known.join(', ')}`,
    );
  const wanted = (name: string) =>
    names.length > 0 ? names.includes(name) : session.config.services.get(name)!.listener.enabled;
  const services = session.services.filter(({ name }) => wanted(name));
  if (services.length === 0)
    throw new MirrorError(
      'bad-request',
      'settings',
      `no service is enabled; enable one of ${known.join(', ')}, or name it`,
    );
  return services;
}

/** Where clients go: nobody can dial the address that stands for all. */
function hintUrl(url: string, publicUrl: string | undefined): string {
  return publicUrl?.replace(/\/+$/, '') ?? url.replace(/\/\/(0\.0\.0\.0|\[::\])/, `//${hostname()}`);
}

/** Where everything is, and the one line that points each client there. */
function startBlock(session: Session, suite: RunningSuite): string {
  const { mode } = session.config.suite;
  const rows = suite.services.flatMap(({ service, url, tlsUrl, context }) =>
    [url, tlsUrl]
      .filter((one) => one !== undefined)
      .map((one) => [service.name, one, service.clientHint(hintUrl(one, context.publicUrl))] as const),
  );
  const nameWidth = Math.max(8, ...rows.map(([name]) => name.length));
  const urlWidth = Math.max(...rows.map(([, url]) => url.length), suite.adminUrl.length);
  const lines = rows.map(([name, url, hint]) => `  ${name.padEnd(nameWidth)}  ${url.padEnd(urlWidth)}  ${hint}`);
  return [
    `Larder ${version()}, ${mode}, store ${suite.store.location}`,
    ...lines,
    `  ${'admin'.padEnd(nameWidth)}  ${suite.adminUrl.padEnd(urlWidth)}  /livez /readyz /metrics /wants`,
    '',
  ].join('\n');
}

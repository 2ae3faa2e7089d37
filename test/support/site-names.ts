import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A command as it is spawned. */
export type Wrapped = [string, string[]];

/**
 * What a site's name server would say, for the commands that are put inside: these names lead to that address, and all
 * others to nobody at once. Needs root, as namespaces do.
 */
export async function siteNames(
  folder: string,
  address: string,
  names: readonly string[],
): Promise<(command: string, args: readonly string[]) => Wrapped> {
  const [hosts, resolver] = [join(folder, `hosts-${address}`), join(folder, 'resolv.conf')];
  await writeFile(hosts, `127.0.0.1 localhost\n${address} ${names.join(' ')}\n`);
  await writeFile(resolver, 'nameserver 127.0.0.1\n');
  const script = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';
  return (command, args) => ['unshare', ['--mount', 'sh', '-c', script, hosts, resolver, command, ...args]];
}

/**
 * An address of loopback that nobody else listens at, whatever the port: services can have the ports there that clients
 * take for granted.
 */
export function ownAddress(): string {
  own += 1;
  const [high, low] = [(process.pid >> 8) & 255, process.pid & 255];
  return `127.${(own % 250) + 2}.${high}.${low}`;
}

let own = 0;

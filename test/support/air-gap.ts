import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * A network namespace with a loopback and a trap: every packet that would leave goes into a pipe that nobody answers,
 * and is counted. Connections, DNS questions and pings all fall into it.
 */
export interface AirGap {
  /** Puts a command inside: `[command, ...args]` → what to spawn instead. */
  inside(command: string, args: readonly string[]): [string, string[]];
  /** Packets that tried to leave so far. */
  escaped(): Promise<number>;
  close(): Promise<void>;
}

const SET_UP = [
  'ip link set lo up',
  'ip link add trap type veth peer name trapped',
  'echo 1 > /proc/sys/net/ipv6/conf/trap/disable_ipv6',
  'echo 1 > /proc/sys/net/ipv6/conf/trapped/disable_ipv6',
  'ip addr add 192.0.2.1/24 dev trap',
  'ip link set trap arp off up',
  'ip link set trapped up',
  'ip route add default dev trap',
  'echo ready',
  // lives until its standard input is closed
  'exec cat',
].join(' && ');

/** Makes one. Needs root, as CI has it; the namespace goes when the returned `close` is called or this process ends. */
export async function makeAirGap(): Promise<AirGap> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', SET_UP], { stdio: ['pipe', 'pipe', 'inherit'] });
  await ready(holder);
  const inside = (command: string, args: readonly string[]): [string, string[]] => [
    'nsenter',
    [`--net=/proc/${holder.pid}/ns/net`, command, ...args],
  ];
  return {
    inside,
    async escaped() {
      const [command, args] = inside('ip', ['-s', '-j', 'link', 'show', 'trap']);
      const { stdout } = await run(command, args);
      return (JSON.parse(stdout) as { stats64: { tx: { packets: number } } }[])[0]!.stats64.tx.packets;
    },
    async close() {
      holder.stdin!.end();
      await once(holder, 'exit');
    },
  };
}

async function ready(holder: ChildProcess): Promise<void> {
  const [first] = await Promise.race([once(holder.stdout!, 'data'), once(holder, 'exit')]);
  if (!String(first).includes('ready'))
    throw new Error('the network namespace could not be made (root and iproute2 are needed)');
}

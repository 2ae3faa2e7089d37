import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A line to a server on loopback that breaks. */
export interface CuttingLine {
  /** `http://127.0.0.1:port` */
  url: string;
  /** Connections that were cut so far. */
  cuts(): number;
  close(): Promise<void>;
}

/**
 * Passes on what is said, and cuts a connection once so many bytes of answers came over it, as long as there are cuts
 * left. `forGood`: after the last one nobody gets through.
 */
export async function startCuttingLine(
  to: string,
  { after, cuts, forGood = false }: { after: number; cuts: number; forGood?: boolean },
): Promise<CuttingLine> {
  const { hostname, port } = new URL(to);
  const sockets = new Set<Socket>();
  let done = 0;
  const server = createServer((client) => {
    if (forGood && done === cuts) {
      client.destroy();
      return;
    }
    const behind = connect(Number(port), hostname);
    let passed = 0;
    for (const [socket, other] of [
      [client, behind],
      [behind, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
    client.pipe(behind);
    behind.on('data', (chunk) => {
      passed += chunk.length;
      if (passed > after && done < cuts) {
        done += 1;
        client.destroy();
        return;
      }
      if (!client.write(chunk)) {
        behind.pause();
        client.once('drain', () => behind.resume());
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => done,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

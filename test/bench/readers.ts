import { connect, type Socket } from 'node:net';

/**
 * A process of its own: `node readers.ts <url> <connections>` opens so many connections, asks on all at once, and reads
 * to the end. Prints when (milliseconds since the epoch) the first byte of each body arrived, and the bytes of each.
 */
const [url, count] = [new URL(process.argv[2]!), Number(process.argv[3])];

interface Reader {
  firstAt: number;
  bytes: number;
}

const buffer = Buffer.allocUnsafe(1 << 20);
const clock = () => performance.timeOrigin + performance.now();

function open(reader: Reader, over: () => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let head = '';
    let expected = Number.POSITIVE_INFINITY;
    const take = (length: number) => {
      let from = 0;
      if (expected === Number.POSITIVE_INFINITY) {
        const before = head.length;
        head += buffer.toString('latin1', 0, length);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return true;
        expected = Number(/^content-length: (\d+)/im.exec(head)![1]);
        from = end + 4 - before;
      }
      if (length > from && reader.bytes === 0) reader.firstAt = clock();
      reader.bytes += length - from;
      if (reader.bytes >= expected) socket.end();
      return true;
    };
    const socket = connect({ host: url.hostname, port: Number(url.port), onread: { buffer, callback: take } });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
    socket.once('close', over);
  });
}

const readers = Array.from({ length: count }, (): Reader => ({ firstAt: 0, bytes: 0 }));
const overs = readers.map(() => Promise.withResolvers<void>());
const sockets = await Promise.all(readers.map((reader, index) => open(reader, overs[index]!.resolve)));
const startedAt = clock();
for (const socket of sockets) socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
await Promise.all(overs.map(({ promise }) => promise));
process.stdout.write(JSON.stringify({ startedAt, endedAt: clock(), readers }));

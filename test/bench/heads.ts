import { connect } from 'node:net';

/**
 * A process of its own: `node heads.ts <url> <connections> <seconds>` asks HEAD again and again, one question at a time
 * on each connection, and prints answers per second. wrk cannot: it waits for the body that `Content-Length` speaks of.
 */
const [url, count, seconds] = [new URL(process.argv[2]!), Number(process.argv[3]), Number(process.argv[4])];
const question = `HEAD ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nAccept-Encoding: identity\r\n\r\n`;
let answers = 0;
let over = false;

function keepAsking(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: url.hostname, port: Number(url.port) }, () => socket.write(question));
    let head = '';
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      head += text;
      if (!head.endsWith('\r\n\r\n')) return;
      if (!head.startsWith('HTTP/1.1 200')) {
        socket.destroy(new Error(`${url}: ${head.split('\r\n', 1)[0]}`));
        return;
      }
      head = '';
      answers += 1;
      if (over) socket.end();
      else socket.write(question);
    });
    socket.once('error', reject);
    socket.once('close', () => (over ? resolve() : reject(new Error(`${url}: the connection was closed`))));
  });
}

const started = performance.now();
let elapsed = 0;
setTimeout(() => {
  over = true;
  elapsed = (performance.now() - started) / 1000;
  process.stdout.write(String(answers / elapsed));
}, seconds * 1000);
await Promise.all(Array.from({ length: count }, keepAsking));

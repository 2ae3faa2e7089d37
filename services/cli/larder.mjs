#!/usr/bin/env node
// Starts Larder under the Node it was made for. npm brings that Node along; any Node that can run npm can start this.
import { spawn } from 'node:child_process';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WANTED = 24;
const main = join(dirname(fileURLToPath(import.meta.url)), 'main.ts');
const [major] = process.versions.node.split('.').map(Number);

if (major >= WANTED) {
  // what was read and stripped of its types once need not be again
  module.enableCompileCache();
  await import(main);
} else {
  const node = ownNode();
  if (!node) {
    console.error(
      `larder: it needs Node.js ${WANTED} and this is ${process.version}; run "npm install" in its folder, which brings the right one`,
    );
    process.exit(2);
  }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}

function ownNode() {
  try {
    const name = `node-${process.platform}-${process.arch}`;
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin/node');
  } catch {
    return undefined;
  }
}

#!/usr/bin/env node
// Starts Larder under the Node it was made for. npm brings that Node along; any Node that can run npm can start this.
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WANTED = 24;
// MiB of each half that V8 has for new objects: at its own 16, transfers side by side take 40 MB more (ARCHITECTURE.md)
const NEW_OBJECTS = '--max-semi-space-size=4';
const here = fileURLToPath(import.meta.url);
const [major] = process.versions.node.split('.').map(Number);

if (major >= WANTED) {
  // what was read and stripped of its types once need not be again
  module.enableCompileCache();
  await import('./main.ts');
} else {
  const node = ownNode();
  if (!node) {
    console.error(
      `larder: it needs Node.js ${WANTED} and this is ${process.version}\nrun "npm install" in its folder, which brings the right one, or start it with Node.js ${WANTED}`,
    );
    process.exit(2);
  }
  const child = spawn(node, [NEW_OBJECTS, here, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`larder: ${node} cannot be run (${error.code})\nrun "npm install" in its folder again`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The Node that npm installed beside Larder; undefined where it is not there, or is what runs already. */
function ownNode() {
  const { resolve } = createRequire(import.meta.url);
  // the one for Macs with ARM has a name of its own kind
  for (const kind of ['node', 'node-bin']) {
    try {
      const node = join(dirname(resolve(`${kind}-${process.platform}-${process.arch}/package.json`)), 'bin/node');
      return realpathSync(node) === realpathSync(process.execPath) ? undefined : node;
    } catch {
      // not this one
    }
  }
  return undefined;
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startHub } from '../support/hub.ts';
import { bytesOf } from '../support/hub-sites.ts';

/** A file's name in the repo that is offered. */
export const coldFile = (index: number) => `/acme/cold/resolve/main/f${index}.bin`;

/** The test's hub in a process of its own, with files of 8 MB: sending must not hold up those who measure. */
export async function startHubProcess(files: number): Promise<{ url: string; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [import.meta.filename, String(files)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: String(line).trim(),
    async stop() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const hub = await startHub();
  const names = Array.from({ length: Number(process.argv[2]) }, (_, index) => `f${index}.bin`);
  hub.add({ id: 'acme/cold', files: Object.fromEntries(names.map((name) => [name, bytesOf(8 << 20, name)])) });
  process.stdout.write(`${hub.url}\n`);
}

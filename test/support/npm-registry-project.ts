import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryClient } from './npm-registry-clients.ts';
import type { ClientHome } from './npm-registry-site.ts';

/** What a client calls its lock, and how it installs: with what it finds, and as its lock says. */
export const WAYS: Record<RegistryClient, { lock: string; install: string[]; ci: string[] }> = {
  'npm-10': { lock: 'package-lock.json', install: ['install'], ci: ['ci'] },
  'npm-11': { lock: 'package-lock.json', install: ['install'], ci: ['ci'] },
  pnpm: { lock: 'pnpm-lock.yaml', install: ['install', '--no-frozen-lockfile'], ci: ['install', '--frozen-lockfile'] },
  'yarn-1': { lock: 'yarn.lock', install: ['install'], ci: ['install', '--frozen-lockfile'] },
  berry: { lock: 'yarn.lock', install: ['install', '--no-immutable'], ci: ['install', '--immutable'] },
  bun: { lock: 'bun.lock', install: ['install'], ci: ['install', '--frozen-lockfile'] },
};

const PROJECT = {
  ...{ name: 'site', version: '1.0.0', private: true, type: 'module' },
  dependencies: { react: '^19.0.0', 'react-dom': '^19.0.0' },
  devDependencies: { vite: '^7.0.0', '@vitejs/plugin-react': '^5.0.0' },
};
const FILES = {
  'package.json': JSON.stringify(PROJECT, null, 2),
  'vite.config.js': `import react from '@vitejs/plugin-react';\nexport default { plugins: [react()] };\n`,
  'index.html': '<div id="root"></div><script type="module" src="/main.jsx"></script>\n',
  'main.jsx': `import { createRoot } from 'react-dom/client';\ncreateRoot(document.getElementById('root')).render(<h1>Larder feeds this site</h1>);\n`,
};

/** Puts a page that is made with Vite and React into a client's project, with a lock where one is given. */
export async function layPage(home: ClientHome, lock?: string): Promise<void> {
  const project = join(home.path, 'project');
  await rm(project, { recursive: true, force: true });
  await mkdir(project);
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(project, name), text);
  // berry takes a folder above for the project where it finds no lock in this one
  if (home.client === 'berry' && lock === undefined) await writeFile(join(project, 'yarn.lock'), '');
  if (lock !== undefined) await copyFile(lock, join(project, WAYS[home.client].lock));
}

/** Builds the page with what was installed: Vite with its native parts. @returns its script, as browsers get it */
export async function buildPage(home: ClientHome): Promise<string> {
  const project = join(home.path, 'project');
  await home.node(['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'error']);
  const page = await readFile(join(project, 'dist/index.html'), 'utf8');
  const [, script] = /src="\/(assets\/[^"]+\.js)"/.exec(page)!;
  return readFile(join(project, 'dist', script!), 'utf8');
}

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { digestOf } from '../../../shared/model/digest.ts';
import type { Entry } from '../../../shared/model/entry.ts';
import { openStore, type Store } from '../../../shared/storage/store.ts';

export const NOW = Date.parse('2026-11-23T12:00:00Z');

/** A folder that goes when the test is over. */
export async function scratch(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'larder-storage-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A store that is closed when the test is over. */
export async function opened(location: string): Promise<Store> {
  const store = await openStore(location, { now: () => NOW });
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

export function entryOf(key: string, facts: Partial<Entry> = {}): Entry {
  const at = new Date(NOW).toISOString();
  return {
    key,
    digest: digestOf(key),
    size: key.length,
    mediaType: 'text/plain',
    headers: {},
    origin: 'http://origin.example/',
    storedAt: at,
    checkedAt: at,
    ...facts,
  };
}

/** Waits until `look` gives something true; fails after `limit` ms. */
export async function eventually<T>(look: () => Promise<T> | T, limit = 10_000): Promise<T> {
  const until = Date.now() + limit;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > until) throw new Error('it did not happen in time');
    await new Promise((done) => setTimeout(done, 25));
  }
}

/** Another process over the same directory; see writer.ts. Ended when the test is over. */
export class Writer {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(root: string) {
    const script = join(import.meta.dirname, 'writer.ts');
    this.process = spawn(process.execPath, [script, root], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
    onTestFinished(() => void this.process.kill('SIGKILL'));
  }

  /** Sends a command and waits for its answer. */
  async ask(command: string, ...args: unknown[]): Promise<unknown> {
    this.send(command, ...args);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the other process ended at "${command}"`);
    return JSON.parse(value);
  }

  send(command: string, ...args: unknown[]): void {
    this.process.stdin!.write(`${JSON.stringify([command, ...args])}\n`);
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    const over = new Promise((done) => this.process.once('exit', done));
    this.process.kill('SIGKILL');
    await over;
  }
}

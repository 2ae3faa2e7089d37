import type { BundleProgress } from '../../shared/bundle/progress.ts';

interface ProgressOptions {
  out: NodeJS.WritableStream & { columns?: number };
  /** Events as JSON lines. */
  json: boolean;
  tty: boolean;
  now(): number;
}

/** Milliseconds between two drawings, and between two plain lines. */
const REDRAW = 100;
const LINE = 5000;

/** Shows long work: a bar on a terminal, a line now and then elsewhere, events for machines. */
export class Progress implements BundleProgress {
  readonly #options: ProgressOptions;
  #name = '';
  #total: { count?: number; bytes?: number } = {};
  #done = { count: 0, bytes: 0 };
  #label = '';
  #started = 0;
  #shown = 0;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  step(name: string, total: { count?: number; bytes?: number } = {}): void {
    this.#end();
    this.#name = name;
    this.#total = total;
    this.#done = { count: 0, bytes: 0 };
    this.#label = '';
    this.#started = this.#options.now();
    this.#shown = this.#started;
    if (this.#options.json) this.#event('step', { total });
  }

  advance(done: { count?: number; bytes?: number; label?: string }): void {
    this.#done.count += done.count ?? 0;
    this.#done.bytes += done.bytes ?? 0;
    this.#label = done.label ?? this.#label;
    const now = this.#options.now();
    if (now - this.#shown < (this.#options.tty && !this.#options.json ? REDRAW : LINE)) return;
    this.#shown = now;
    if (this.#options.json) this.#event('progress', {});
    else if (this.#options.tty) this.#draw();
    else this.#options.out.write(`${this.#line()}\n`);
  }

  /** A remark between drawings. */
  note(message: string): void {
    if (this.#options.json) this.#event('note', { message });
    else {
      this.#clear();
      this.#options.out.write(`  ${message}\n`);
    }
  }

  /** All steps are over. */
  finish(): void {
    this.#end();
    this.#name = '';
  }

  #end(): void {
    if (this.#name === '') return;
    if (this.#options.json) {
      this.#event('done', { seconds: this.#seconds() });
      return;
    }
    this.#clear();
    this.#options.out.write(`${this.#line()} ${this.#seconds().toFixed(1)} s\n`);
  }

  #seconds(): number {
    return (this.#options.now() - this.#started) / 1000;
  }

  #event(event: string, more: object): void {
    const line = { event, step: this.#name, ...this.#done, label: this.#label || undefined, ...more };
    this.#options.out.write(`${JSON.stringify(line)}\n`);
  }

  #line(): string {
    const { count, bytes } = this.#done;
    const parts = [this.#name.padEnd(8)];
    if (count > 0 || this.#total.count) parts.push(`${count}${this.#total.count ? `/${this.#total.count}` : ''}`);
    if (bytes > 0 || this.#total.bytes)
      parts.push(`${shownBytes(bytes)}${this.#total.bytes ? ` of ${shownBytes(this.#total.bytes)}` : ''}`);
    return parts.join('  ');
  }

  #draw(): void {
    const width = this.#options.out.columns ?? 80;
    const share = this.#total.bytes
      ? this.#done.bytes / this.#total.bytes
      : this.#total.count
        ? this.#done.count / this.#total.count
        : undefined;
    const bar = share === undefined ? '' : `[${'#'.repeat(Math.floor(Math.min(1, share) * 24)).padEnd(24, '.')}] `;
    this.#clear();
    this.#options.out.write(`${bar}${this.#line()}  ${this.#label}`.slice(0, width - 1));
  }

  #clear(): void {
    if (this.#options.tty && !this.#options.json) this.#options.out.write('\r\u001b[K');
  }
}

/** A long work of the store tells sums, and names its steps; the display adds up differences. */
export function sumsTo(progress: BundleProgress): (event: Sums) => void {
  let last: Sums | undefined;
  return (event) => {
    if (last?.step !== event.step) {
      progress.step(event.step, event.total);
      last = undefined;
    }
    progress.advance({ count: event.done - (last?.done ?? 0), bytes: event.bytes - (last?.bytes ?? 0) });
    last = event;
  };
}

interface Sums {
  step: string;
  /** So far. */
  done: number;
  bytes: number;
  total?: { count: number; bytes: number };
}

/** Bytes for people: powers of 1024, three digits. */
export function shownBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, bytes === 0 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  const digits = power === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[power]}`;
}

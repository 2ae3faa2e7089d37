import type { Facts } from '../model/entry.ts';
import type { MirrorError } from '../model/errors.ts';
import type { Ref } from '../model/ref.ts';
import { counter, gauge, histogram, type Telemetry } from '../telemetry/telemetry.ts';
import type { Served } from './resource.ts';

/** What happens in a mirror: for each event its number and its line in the log, together. */
export class MirrorEvents {
  readonly #service: string;
  readonly #log: Telemetry['log'];
  readonly #metrics;

  constructor(service: string, telemetry: Telemetry) {
    this.#service = service;
    this.#log = telemetry.log.child({ service });
    this.#metrics = {
      served: counter(telemetry, {
        name: 'served_total',
        help: 'Answers, by how they came about',
        labelNames: ['service', 'served'],
      }),
      fillBytes: counter(telemetry, {
        name: 'fill_bytes_total',
        help: 'Bytes fetched from origins and kept',
        labelNames: ['service'],
      }),
      fillsRunning: gauge(telemetry, {
        name: 'fills_running',
        help: 'Downloads that are under way',
        labelNames: ['service'],
      }),
      fillSeconds: histogram(telemetry, {
        name: 'fill_seconds',
        help: 'Length of downloads',
        labelNames: ['service'],
        buckets: [0.05, 0.2, 1, 5, 20, 60, 300, 1800],
      }),
      resumed: counter(telemetry, {
        name: 'fill_resumed_total',
        help: 'Downloads that broke off and went on',
        labelNames: ['service'],
      }),
      errors: counter(telemetry, {
        name: 'upstream_errors_total',
        help: 'Questions to origins that failed',
        labelNames: ['service', 'kind'],
      }),
      wants: counter(telemetry, {
        name: 'wants_total',
        help: 'Questions for what is not held and cannot be had',
        labelNames: ['service'],
      }),
    };
  }

  /** An answer of facts alone, counted. */
  told(facts: Facts, served: Served): { facts: Facts; served: Served } {
    this.served(served);
    return { facts, served };
  }

  served(served: Served): void {
    this.#metrics.served.inc({ service: this.#service, served });
  }

  fillStarted(ref: Ref, size: number | undefined): void {
    this.#metrics.fillsRunning.inc({ service: this.#service });
    this.#log.debug({ event: 'fill', name: ref.label, size }, 'download started');
  }

  fillKept(ref: Ref, size: number, seconds: number): void {
    this.#metrics.fillsRunning.dec({ service: this.#service });
    this.#metrics.fillBytes.inc({ service: this.#service }, size);
    this.#metrics.fillSeconds.observe({ service: this.#service }, seconds);
    this.#log.info({ event: 'kept', name: ref.label, size, seconds }, 'download kept');
  }

  fillFailed(ref: Ref, error: MirrorError): void {
    this.#metrics.fillsRunning.dec({ service: this.#service });
    this.#metrics.errors.inc({ service: this.#service, kind: error.kind });
    this.#log.warn(
      { event: 'fill-failed', name: ref.label, kind: error.kind, reason: error.message },
      'download failed, nothing was kept',
    );
  }

  fillResumed(ref: Ref, at: number, reason: string): void {
    this.#metrics.resumed.inc({ service: this.#service });
    this.#log.info({ event: 'resumed', name: ref.label, at, reason }, 'download broke off, going on');
  }

  upstreamFailed(ref: Ref, error: MirrorError, answeredFromStore: boolean): void {
    this.#metrics.errors.inc({ service: this.#service, kind: error.kind });
    this.#log.warn(
      { event: 'origin-failed', name: ref.label, kind: error.kind, reason: error.message, answeredFromStore },
      'origin could not be asked',
    );
  }

  wanted(ref: Ref): void {
    this.#metrics.wants.inc({ service: this.#service });
    this.#log.info({ event: 'want', name: ref.label }, 'asked for and not held');
  }
}

import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What a process tells of itself: lines for people and machines, numbers for graphs. */
export interface Telemetry {
  log: Logger;
  registry: Registry;
}

/** Fields that may hold a secret: never in a log, whoever put them there. */
const SECRETS = ['authorization', 'cookie', 'token', 'secret', 'password', 'secretAccessKey', 'sessionToken'].flatMap(
  (name) => [name, `*.${name}`, `headers["${name}"]`, `req.headers["${name}"]`],
);

/** @param options.stream where log lines go; standard error unless told */
export function createTelemetry(
  options: { level?: string; stream?: DestinationStream; processMetrics?: boolean } = {},
): Telemetry {
  const log = pino(
    {
      level: options.level ?? 'info',
      base: null,
      redact: { paths: SECRETS, censor: '[secret]' },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    options.stream ?? destination({ dest: 2, sync: false }),
  );
  const registry = new Registry();
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  return { log, registry };
}

interface MetricOptions<L extends string> {
  /** Without the `larder_` that all of ours begin with. */
  name: string;
  help: string;
  labelNames?: readonly L[];
  buckets?: number[];
}

/** The counter of this name, made the first time. */
export function counter<L extends string>(telemetry: Telemetry, options: MetricOptions<L>): Counter<L> {
  return metric(telemetry, options, Counter<L>);
}

export function gauge<L extends string>(telemetry: Telemetry, options: MetricOptions<L>): Gauge<L> {
  return metric(telemetry, options, Gauge<L>);
}

export function histogram<L extends string>(telemetry: Telemetry, options: MetricOptions<L>): Histogram<L> {
  return metric(telemetry, options, Histogram<L>);
}

function metric<L extends string, M>(
  telemetry: Telemetry,
  { name, help, labelNames = [], buckets }: MetricOptions<L>,
  Metric: new (config: { name: string; help: string; labelNames: L[]; registers: Registry[]; buckets?: number[] }) => M,
): M {
  const full = `larder_${name}`;
  const held = telemetry.registry.getSingleMetric(full);
  if (held) return held as M;
  return new Metric({
    name: full,
    help,
    labelNames: [...labelNames],
    registers: [telemetry.registry],
    ...(buckets ? { buckets } : {}),
  });
}

import { describe, expect, test } from 'vitest';
import { counter, createTelemetry, gauge, histogram } from '../../../shared/telemetry/telemetry.ts';

/** A telemetry whose lines can be read. */
function recorded(level?: string) {
  const lines: string[] = [];
  const telemetry = createTelemetry({ level, stream: { write: (line) => void lines.push(line) } });
  return { telemetry, lines };
}

describe('log lines', () => {
  test('are JSON with a time, a level and what happened', () => {
    const { telemetry, lines } = recorded();
    telemetry.log.info({ event: 'start', store: 'memory:' }, 'ready');
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 30, event: 'start', store: 'memory:', msg: 'ready' });
    expect(JSON.parse(lines[0]!).time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  test.each(['authorization', 'cookie', 'token', 'secret', 'password', 'secretAccessKey', 'sessionToken'])(
    'never hold a %s, wherever it was put',
    (name) => {
      const { telemetry, lines } = recorded();
      telemetry.log.info({ [name]: 'hunter2' });
      telemetry.log.info({ origin: { [name]: 'hunter2' } });
      telemetry.log.info({ headers: { [name]: 'hunter2' } });
      telemetry.log.info({ req: { headers: { [name]: 'hunter2' } } });
      telemetry.log.child({ service: 'notes' }).warn({ options: { [name]: 'hunter2' } });
      expect(lines).toHaveLength(5);
      expect(lines.join('')).not.toContain('hunter2');
      expect(lines.join('')).toContain('[secret]');
    },
  );

  test('below the level are not written', () => {
    const { telemetry, lines } = recorded('warn');
    telemetry.log.info('small talk');
    telemetry.log.warn('news');
    expect(lines).toHaveLength(1);
  });
});

describe('metrics', () => {
  test('of one name are one, whoever asks for it first', async () => {
    const { telemetry } = recorded();
    const options = { name: 'notes_read_total', help: 'Notes read', labelNames: ['service'] as const };
    counter(telemetry, options).inc({ service: 'a' });
    counter(telemetry, options).inc({ service: 'a' });
    expect(await telemetry.registry.metrics()).toContain('larder_notes_read_total{service="a"} 2');
  });

  test('are counters, gauges and histograms with their own buckets', async () => {
    const { telemetry } = recorded();
    gauge(telemetry, { name: 'running', help: 'Running' }).set(3);
    histogram(telemetry, { name: 'seconds', help: 'Seconds', buckets: [1, 10] }).observe(5);
    const text = await telemetry.registry.metrics();
    expect(text).toContain('larder_running 3');
    expect(text).toContain('larder_seconds_bucket{le="1"} 0');
    expect(text).toContain('larder_seconds_bucket{le="10"} 1');
  });

  test('of two suites in one process stay apart', async () => {
    const [one, other] = [recorded().telemetry, recorded().telemetry];
    gauge(one, { name: 'running', help: 'Running' }).set(1);
    expect(await other.registry.metrics()).not.toContain('larder_running');
  });

  test('of the process are those of a server', async () => {
    const server = createTelemetry({ level: 'silent', processMetrics: true });
    expect(await server.registry.metrics()).toContain('process_resident_memory_bytes');
    expect(await recorded().telemetry.registry.metrics()).not.toContain('process_resident_memory_bytes');
  });
});

import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../shared/config/load.ts';
import { deliveryOf } from '../../../shared/service/delivery.ts';
import { startLarder } from '../../support/larder.ts';
import { notes } from '../../support/notes-service.ts';

const ENGINE = 's3://larder?endpoint=http://s3.storage.site:8333';

function delivery(env: Record<string, string>) {
  const config = loadConfig({ env: { LARDER_STORE: ENGINE, LARDER_DELIVERY: 'redirect', ...env }, sections: [notes] });
  return deliveryOf(config, [notes]);
}

describe('how blobs are delivered', () => {
  test('is by us, unless the settings say more', () => {
    expect(deliveryOf(loadConfig({ env: {}, sections: [notes] }), [notes])).toBeUndefined();
  });

  test('is by the engine, under its own address or the one that clients have for it', () => {
    expect(delivery({})).toMatchObject({ way: 'redirect', endpoint: 'http://s3.storage.site:8333' });
    const named = delivery({ LARDER_DELIVERY_ENDPOINT: 'https://blobs.site/', LARDER_DELIVERY_MIN_BYTES: '100' });
    expect(named).toMatchObject({ endpoint: 'https://blobs.site', minBytes: 100 });
    expect(delivery({ LARDER_STORE: 's3://larder?region=eu-west-1' })).toMatchObject({ endpoint: undefined });
  });

  test('is by nginx out of a directory, under the prefix that it has there', () => {
    const accel = { LARDER_DELIVERY: 'accel', LARDER_STORE: './data', LARDER_ACCEL_PREFIX: '/inside/store' };
    expect(delivery(accel)).toMatchObject({ way: 'accel', accelPrefix: '/inside/store' });
  });
});

describe('a way that clients would fail on is refused at start', () => {
  test.each<[what: string, env: Record<string, string>, words: RegExp]>([
    ['a redirect to a directory', { LARDER_STORE: './data' }, /delivery: .*store is none; .*there is accel/],
    ['accel over an engine', { LARDER_DELIVERY: 'accel' }, /delivery: .*store is none; .*there is redirect/],
    ['accel over memory', { LARDER_DELIVERY: 'accel', LARDER_STORE: 'memory:' }, /delivery: /],
    [
      'an engine on loopback, and clients elsewhere',
      { LARDER_STORE: 's3://larder?endpoint=http://127.0.0.1:8333', LARDER_LISTEN: '0.0.0.0' },
      /clients elsewhere cannot reach http:\/\/127\.0\.0\.1:8333; set deliveryEndpoint/,
    ],
    [
      'an engine on loopback behind a public address',
      { LARDER_STORE: 's3://larder?endpoint=http://localhost:8333', LARDER_PUBLIC_URL: 'http://larder.site' },
      /cannot reach http:\/\/localhost:8333; set deliveryEndpoint/,
    ],
    ['an address that is nobody’s', { LARDER_DELIVERY_ENDPOINT: 'http://0.0.0.0:8333' }, /set deliveryEndpoint/],
    [
      'from https to http',
      { LARDER_NOTES_PUBLIC_URL: 'https://notes.site' },
      /clients of https:\/\/notes\.site \(notes\.publicUrl\) would be sent to http:\/\/s3\.storage\.site:8333.*set deliveryEndpoint to an https address/,
    ],
    [
      'to another port of the same host',
      { LARDER_PUBLIC_URL: 'http://larder.site:5000', LARDER_DELIVERY_ENDPOINT: 'http://larder.site:8333' },
      /larder\.site is larder\.site \(publicUrl\) or below it: podman, .*set deliveryEndpoint/,
    ],
    [
      'to a host below it',
      { LARDER_PUBLIC_URL: 'https://larder.site', LARDER_DELIVERY_ENDPOINT: 'https://s3.larder.site' },
      /s3\.larder\.site is larder\.site \(publicUrl\) or below it/,
    ],
    ['to an address with a path', { LARDER_DELIVERY_ENDPOINT: 'https://s3.site/bucket' }, /deliveryEndpoint.*without/],
    ['to no address', { LARDER_DELIVERY_ENDPOINT: 's3.site' }, /deliveryEndpoint.*an address like/],
    ['by no way there is', { LARDER_DELIVERY: 'proxy' }, /LARDER_DELIVERY.*stream/s],
    ['a prefix with a slash at its end', { LARDER_ACCEL_PREFIX: '/a/' }, /accelPrefix.*without a slash/],
  ])('%s', (_what, env, words) => {
    expect(() => delivery(env)).toThrow(words);
  });

  test('a host whose name only ends alike is another one', () => {
    const env = { LARDER_PUBLIC_URL: 'http://site', LARDER_DELIVERY_ENDPOINT: 'http://mysite:8333' };
    expect(delivery(env)).toMatchObject({ endpoint: 'http://mysite:8333' });
  });

  test('nothing starts', async () => {
    const started = startLarder({ services: [notes], config: { delivery: 'redirect' } });
    await expect(started).rejects.toThrow(/delivery: redirect sends clients to an S3 engine/);
  });
});

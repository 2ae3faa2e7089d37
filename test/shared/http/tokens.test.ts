import { beforeEach, describe, expect, test } from 'vitest';
import { Tokens } from '../../../shared/http/tokens.ts';
import { MemoryStore } from '../../../shared/storage/memory-store.ts';

let objects: MemoryStore;
let now: number;
let tokens: Tokens;

beforeEach(() => {
  objects = new MemoryStore();
  now = Date.parse('2026-11-24T00:00:00Z');
  tokens = new Tokens(objects, { now: () => now });
});

const wish = { name: 'ci', actions: ['write' as const], services: ['pypi'] };

describe('a token', () => {
  test('is known by its secret, which stands nowhere', async () => {
    const { token, secret } = await tokens.create(wish);
    expect(secret).toMatch(new RegExp(`^lrd_${token.id}_[0-9A-Za-z]{40}$`));
    expect(await tokens.verify(secret)).toEqual({ id: token.id, ...wish });
    let kept = '';
    for await (const { key } of objects.list('')) {
      kept += key + Buffer.concat(await (await objects.get(key))!.body.toArray()).toString();
    }
    expect(kept).toContain(token.sha256);
    expect(kept).not.toContain(secret.split('_')[2]);
  });

  test('that is lent reads one service, and is over when it was used, whatever came of it', async () => {
    let lent = '';
    const known = await tokens.lend('pypi', (secret) => {
      lent = secret;
      return tokens.verify(secret);
    });
    expect(known).toMatchObject({ actions: ['read'], services: ['pypi'] });
    expect(await tokens.verify(lent)).toBeUndefined();
    const failing = tokens.lend('pypi', (secret) => {
      lent = secret;
      return Promise.reject(new Error('no'));
    });
    await expect(failing).rejects.toThrow('no');
    expect(await tokens.verify(lent)).toBeUndefined();
  });

  test('may have the shape that clients of model hubs insist on', async () => {
    const { token, secret } = await tokens.create({ ...wish, shape: 'hf' });
    // llama.cpp: common/hf-cache.cpp
    expect(secret).toMatch(/^hf_[A-Za-z0-9]{34,}$/);
    expect(await tokens.verify(secret)).toEqual({ id: token.id, ...wish });
    expect(token).not.toHaveProperty('shape');
  });

  test('is listed without what could be tried out', async () => {
    const { token } = await tokens.create(wish);
    const listed = await Array.fromAsync(tokens.list());
    expect(listed).toEqual([{ id: token.id, ...wish, created: '2026-11-24T00:00:00.000Z' }]);
  });

  test('ends when its time is over, also where it is remembered', async () => {
    const { secret } = await tokens.create({ ...wish, expires: '2026-11-24T01:00:00Z' });
    expect(await tokens.verify(secret)).toBeDefined();
    now += 3_600_000;
    expect(await tokens.verify(secret)).toBeUndefined();
  });

  test('ends at once where it is revoked, and elsewhere within seconds', async () => {
    const { token, secret } = await tokens.create(wish);
    const replica = new Tokens(objects, { now: () => now });
    expect(await tokens.verify(secret)).toBeDefined();
    await tokens.revoke(token.id);
    expect(await tokens.verify(secret)).toBeUndefined();
    expect(await replica.verify(secret)).toBeUndefined();
    await expect(tokens.revoke(token.id)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

test.each(['', 'lrd_', 'x', 'lrd_abcdefgh_short', `lrd_../../et_${'a'.repeat(40)}`, `lrd_abcdefgh_${'a'.repeat(40)}`])(
  '"%s" is nobody\'s secret',
  async (secret) => {
    await tokens.create(wish);
    expect(await tokens.verify(secret)).toBeUndefined();
  },
);

test('the right id with a wrong secret is nobody', async () => {
  const { secret } = await tokens.create(wish);
  const last = secret.at(-1) === 'a' ? 'b' : 'a';
  expect(await tokens.verify(secret.slice(0, -1) + last)).toBeUndefined();
});

test.each(['../../etc', '', 'ABCDEFGH', 'a'.repeat(200)])('revoking "%s" finds nothing, and says so', async (id) => {
  await expect(tokens.revoke(id)).rejects.toMatchObject({ kind: 'not-found' });
});

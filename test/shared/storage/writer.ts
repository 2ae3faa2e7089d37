/** Another process over a store's directory, told what to do line by line. Answers each line with one. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Entry } from '../../../shared/model/entry.ts';
import { openStore } from '../../../shared/storage/store.ts';

const store = await openStore(process.argv[2]!, { now: Date.now });

const commands: Record<string, (...args: never[]) => unknown> = {
  put: (service: string, entry: Entry) => store.catalog(service).put(entry),
  putOnce: (service: string, entry: Entry) => store.catalog(service).put(entry, { ifAbsent: true }),
  delete: (service: string, key: string) => store.catalog(service).delete(key),
  get: async (service: string, key: string) => (await store.catalog(service).get(key)) ?? null,
  keys: (service: string) => store.catalog(service).keys(),
  /** Adds one to a number in an object until `turns` of ours have stood. */
  async count(key: string, turns: number) {
    for (let won = 0; won < turns; ) {
      const found = (await store.objects.get(key))!;
      const value = Number(Buffer.concat(await found.body.toArray()).toString());
      const next = await store.objects.put(key, Buffer.from(String(value + 1)), { ifMatch: found.stat.etag });
      if (next.stored) won += 1;
    }
    return turns;
  },
  /** Writes whole objects of one letter until it is killed. */
  async write(prefix: string) {
    process.stdout.write('"writing"\n');
    for (let turn = 0; ; turn += 1) {
      const letter = String.fromCharCode(97 + (turn % 26));
      const pieces = Array.from({ length: 8 }, () => Buffer.alloc(100_000, letter));
      await store.objects.put(`${prefix}/${turn % 5}`, Readable.from(pieces), { size: 800_000 });
      await store.objects.put(`${prefix}/small/${turn % 50}`, Buffer.alloc(3_000, letter));
    }
  },
  /** Writes and deletes names until it is killed. */
  async name(service: string, like: Entry) {
    process.stdout.write('"naming"\n');
    for (let turn = 0; ; turn += 1) {
      const some = Array.from({ length: 4 }, (_, place) => ({ ...like, key: `k/${(turn * 4 + place) % 300}` }));
      await Promise.all(some.map((entry) => store.catalog(service).put({ ...entry, size: turn })));
      await store.catalog(service).delete(`k/${(turn * 7) % 300}`);
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...args] = JSON.parse(line) as [string, ...never[]];
  process.stdout.write(`${JSON.stringify((await commands[command]!(...args)) ?? null)}\n`);
}
await store.close();

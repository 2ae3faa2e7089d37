import type { Upstream } from './upstream.ts';

/**
 * An Upstream whose origins are known only when somebody has told them: it is made at the first question, and anew after
 * one that failed.
 * @param close ends the question for the origins, if it is still going on
 */
export function lateOrigins(make: () => Promise<Upstream>, close: () => void): Upstream {
  let made: Promise<Upstream> | undefined;
  const asker = () => {
    made ??= make();
    made.catch(() => {
      made = undefined;
    });
    return made;
  };
  return {
    describe: async (ref, options) => (await asker()).describe(ref, options),
    fetch: async (ref, options) => (await asker()).fetch(ref, options),
    async close() {
      close();
      await (await made?.catch(() => undefined))?.close?.();
    },
  };
}

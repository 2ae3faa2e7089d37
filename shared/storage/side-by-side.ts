/**
 * Runs `act` over items, `width` at a time, and gives the results in the order of the items. The first failure is
 * thrown once everything that had begun is over.
 */
export async function sideBySide<T, R>(
  items: readonly T[],
  width: number,
  act: (item: T, place: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const rest = items.entries();
  let failed: { error: unknown } | undefined;
  const lane = async () => {
    for (const [place, item] of rest) {
      if (failed) return;
      try {
        results[place] = await act(item, place);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  if (failed) throw failed.error;
  return results;
}

/**
 * Runs `act` over items as they come, `width` at a time. The first failure is thrown once everything that had begun is
 * over; nothing further is taken then.
 */
export async function eachSideBySide<T>(
  items: AsyncIterable<T>,
  width: number,
  act: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.asyncIterator]();
  let failed: { error: unknown } | undefined;
  const lane = async () => {
    while (!failed) {
      try {
        const { value, done } = await rest.next();
        if (done) return;
        await act(value);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  await rest.return?.();
  if (failed) throw failed.error;
}

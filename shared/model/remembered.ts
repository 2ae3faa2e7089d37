/** Characters; keys of 2 KB and more are real. */
const LONGEST = 4096;

/**
 * A function of a text whose answers are remembered, for texts that come again and again: what a key's scope says, which
 * fields a client signs. Forgets all when there are too many, and keeps no long ones, so that nobody can fill it.
 */
export function remembered<T>(work: (text: string) => T, most = 1000): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const held = known.get(text);
    if (held !== undefined) return held;
    const found = work(text);
    if (text.length > LONGEST) return found;
    if (known.size >= most) known.clear();
    known.set(text, found);
    return found;
  };
}

/** What belongs to an object, made when it is first asked for; it goes when the object does. */
export function oncePer<K extends object, T>(make: (owner: K) => T): (owner: K) => T {
  const known = new WeakMap<K, T>();
  return (owner) => {
    if (!known.has(owner)) known.set(owner, make(owner));
    return known.get(owner) as T;
  };
}

/** A media range or coding with its weight. */
interface Weighted {
  name: string;
  q: number;
}

const MOST_REMEMBERED = 500;
const remembered = new Map<string, Weighted[]>();

/**
 * The offer that a client likes best; undefined when it takes none of them. Of equals the earlier offer wins: the order
 * of a client's list means nothing (RFC 9110 §12.5.1). No header is `*`/`*`.
 */
export function negotiate(accept: string | undefined, offers: readonly string[]): string | undefined {
  const wanted = parse(accept ?? '*/*');
  let best: string | undefined;
  let bestWeight = 0;
  for (const offer of offers) {
    const weight = weightOf(offer, wanted);
    if (weight > bestWeight) [best, bestWeight] = [offer, weight];
  }
  return best;
}

/** True when the header names this type itself, not by a wildcard, and does not refuse it. */
export function names(accept: string | undefined, type: string): boolean {
  return parse(accept ?? '').some(({ name, q }) => name === type && q > 0);
}

/**
 * The coding to send, of those offered besides `identity`; `identity` when the client likes it as much or wants no
 * other (RFC 9110 §12.5.3).
 */
export function negotiateEncoding(accept: string | undefined, offers: readonly string[]): string {
  if (accept === undefined) return 'identity';
  const wanted = parse(accept);
  const weight = (name: string) =>
    wanted.find((one) => one.name === name)?.q ?? wanted.find((one) => one.name === '*')?.q;
  let best = 'identity';
  let bestWeight = weight('identity') ?? 0.0001;
  for (const offer of [...offers].reverse()) {
    const q = weight(offer) ?? 0;
    if (q > 0 && q >= bestWeight) [best, bestWeight] = [offer, q];
  }
  return best;
}

/** The most specific range that covers the offer decides (RFC 9110 §12.5.1). */
function weightOf(offer: string, wanted: readonly Weighted[]): number {
  const group = `${offer.split('/', 1)[0]}/*`;
  for (const name of [offer, group, '*/*']) {
    const found = wanted.filter((one) => one.name === name);
    if (found.length > 0) return Math.max(...found.map(({ q }) => q));
  }
  return 0;
}

function parse(header: string): Weighted[] {
  const known = remembered.get(header);
  if (known) return known;
  const list = header
    .slice(0, 4096)
    .split(',')
    .map(one)
    .filter((item) => item.name !== '');
  if (remembered.size >= MOST_REMEMBERED) remembered.clear();
  remembered.set(header, list);
  return list;
}

function one(item: string): Weighted {
  const [name = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
  const q = parameters
    .find((parameter) => /^q\s*=/.test(parameter))
    ?.split('=')[1]
    ?.trim();
  if (q === undefined) return { name, q: 1 };
  // weight = OWS ";" OWS "q=" qvalue: 0 to 1, three decimals at most; what is none of these is no wish
  return { name, q: /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(q) ? Number(q) : 0 };
}

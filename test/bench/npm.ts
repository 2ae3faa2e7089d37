import { median, requestsPerSecond } from './measure.ts';
import { madePackage } from './npm-content.ts';
import { startNpmPair } from './npm-pair.ts';
import type { Row } from './table.ts';

const RUNS = 3;
/** What npm sends when it installs; yarn and others ask for the whole document. */
const SHORT = { Accept: 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*' };
const GZIP = { 'Accept-Encoding': 'gzip' };

/** A document of a package with 200 versions, and a tarball of 300 KB, beside Verdaccio that has both published in it. */
export async function benchNpm(): Promise<Row[]> {
  const versions = Array.from({ length: 200 }, (_, index) => `${Math.floor(index / 50)}.${index % 50}.0`);
  const large = await madePackage('large', versions, 2000);
  const heavy = await madePackage('heavy', ['1.0.0'], 1_600_000);
  const packages = [large, heavy];
  const { larder, verdaccio, close } = await startNpmPair(packages);
  try {
    const sizes = await Promise.all(
      [`${verdaccio.url}/large`, `${verdaccio.url}/heavy/-/heavy-1.0.0.tgz`].map(async (url) =>
        Math.round((await (await fetch(url)).arrayBuffer()).byteLength / 1000),
      ),
    );
    const pair = async (path: string, headers: Record<string, string>) => {
      const rate = (url: string) => requestsPerSecond(url + path, { connections: 8, seconds: 4, headers });
      await rate(larder.urls.npm!);
      await rate(verdaccio.url);
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let run = 0; run < RUNS; run += 1) {
        ours.push(await rate(larder.urls.npm!));
        theirs.push(await rate(verdaccio.url));
      }
      return [median(ours), median(theirs)] as const;
    };
    const row = async (what: string, path: string, headers: Record<string, string>, wanted: number): Promise<Row> => {
      const [ours, theirs] = await pair(path, headers);
      return {
        what: `${what}, requests/s (median of ${RUNS})`,
        ours: ours.toFixed(0),
        peer: `Verdaccio ${theirs.toFixed(theirs < 100 ? 1 : 0)}`,
        ratio: ours / theirs,
        wanted: `≥ ${wanted}`,
        met: ours / theirs >= wanted,
      };
    };
    const document = `document of a package, ${sizes[0]} KB`;
    return [
      await row(document, '/large', {}, 20),
      await row(`${document}, compressed`, '/large', GZIP, 20),
      await row(`${document}, its short form, compressed`, '/large', { ...SHORT, ...GZIP }, 20),
      await row(`tarball of ${sizes[1]} KB`, '/heavy/-/heavy-1.0.0.tgz', {}, 2),
    ];
  } finally {
    await close();
  }
}

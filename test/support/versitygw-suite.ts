import { versitygwProgram } from './engines.ts';
import { runCommand } from './python-clients.ts';
import type { S3Site } from './s3-site.ts';

/** What became of each test of a suite, by its name: undefined for one that passed, else what it said. */
export type Verdicts = ReadonlyMap<string, string | undefined>;

/** Milliseconds for the whole suite, which takes a minute or two on a machine of its own. */
const LONGEST = 1_500_000;
const COLORS = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/** Runs versitygw's tests of everything that S3 is, over a site that nothing else is in. */
export async function runVersitygwSuite(site: S3Site): Promise<Verdicts> {
  const args = ['test', '-a', site.accessKey, '-s', site.secretKey, '-e', site.url, 'full-flow'];
  const options = { cwd: site.folder, env: site.env, timeout: LONGEST };
  const { stdout, stderr } = await runCommand(await versitygwProgram(), args, options);
  const verdicts = verdictsIn(stdout);
  // its own count, so that a suite that fell over is not taken for one that is short
  if (!/test failed with \d+ errors/.test(stderr)) throw new Error(`the suite did not end: ${stderr.slice(-2000)}`);
  return verdicts;
}

/** A name that comes more than once passed if it passed each time. */
function verdictsIn(output: string): Verdicts {
  const verdicts = new Map<string, string | undefined>();
  for (const line of output.replace(COLORS, '').split('\n')) {
    const [, verdict, name, words] = /^(PASS|FAIL) (\w+)(?:: (.*))?$/.exec(line) ?? [];
    if (name === undefined) continue;
    const failed = verdict === 'FAIL' ? (words ?? '') : undefined;
    verdicts.set(name, verdicts.get(name) ?? failed);
  }
  return verdicts;
}

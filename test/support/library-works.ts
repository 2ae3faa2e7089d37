import { join } from 'node:path';
import { expect } from 'vitest';
import type { Hub } from './hub.ts';
import { sha256 } from './hub-sites.ts';
import { BIG, type Content, HEAVY } from './library-content.ts';

/** Files over 1 MB are offered by Xet. */
export const OFFER_XET = { LARDER_HUGGINGFACE_XET_FROM_BYTES: '1000000' };
/** What KServe's controller gives to its storage initializer (reference/mlis.md §2.3). */
const KSERVE = {
  HF_HUB_ENABLE_HF_TRANSFER: '1',
  HF_XET_HIGH_PERFORMANCE: '1',
  HF_XET_NUM_CONCURRENT_RANGE_GETS: '8',
};

/** One line of the log of a Larder, for a request. */
export interface Line {
  method: string;
  path: string;
  status: number;
}

/** A library at work. */
export interface Work {
  /** Of the clients, and a script of test/fixtures/python/hub. */
  client: string;
  script: string;
  args(home: string, hub: Hub): string[];
  env?: NodeJS.ProcessEnv;
  /** Settings of the Larder that it works with. */
  settings?: NodeJS.ProcessEnv;
  /** It asks the name server for `datasets-server.<host>`, whatever HF_ENDPOINT says, and goes on without. */
  resolvesNames?: true;
  /** What the script prints when all is well. */
  expected(content: Content): unknown;
  /** What it must, or must not, have asked for. */
  asked?(lines: Line[]): void;
}

export const WORKS: Record<string, Work> = {
  'transformers loads a model and runs it': {
    client: 'hf-libraries',
    script: 'run_transformers.py',
    args: () => ['acme/tiny'],
    expected: ({ fromFolder }) => fromFolder['run_transformers.py'],
  },
  'sentence-transformers loads a model and encodes with it': {
    client: 'hf-libraries',
    script: 'run_sentences.py',
    args: () => ['acme/tiny'],
    expected: ({ fromFolder }) => fromFolder['run_sentences.py'],
  },
  'datasets loads a dataset': {
    client: 'hf-libraries',
    script: 'load_dataset.py',
    args: () => ['acme/ds', 'whole'],
    resolvesNames: true,
    expected: () => ROWS,
  },
  'datasets reads a dataset as a stream': {
    client: 'hf-libraries',
    script: 'load_dataset.py',
    args: () => ['acme/ds', 'streaming'],
    resolvesNames: true,
    expected: () => ROWS,
    asked(lines) {
      const rows = lines.filter(({ path }) => path.endsWith('.parquet')).map(({ status }) => status);
      expect(rows.length).toBeGreaterThan(1);
      expect(new Set(rows)).toEqual(new Set([206]));
    },
  },
  'hf_transfer downloads a file of 120 MB in many parts at once': {
    client: 'hf-0.36',
    script: 'fetch_file.py',
    args: () => ['acme/big', 'big.bin'],
    env: { HF_HUB_ENABLE_HF_TRANSFER: '1' },
    expected: () => sha256(BIG),
    asked: (lines) => expect(partsOf(lines, '/big.bin')).toBeGreaterThan(10),
  },
  "KServe's storage initializer downloads a model with hf_transfer": {
    client: 'kserve-0.20',
    script: 'run_kserve.py',
    args: (home) => ['hf://acme/tiny', join(home, 'models')],
    env: KSERVE,
    expected: ({ model }) => digestsOf(model),
    asked: (lines) => expect(partsOf(lines, '/model.safetensors')).toBeGreaterThan(6),
  },
  "KServe's newest downloads a commit of a model": {
    client: 'kserve',
    script: 'run_kserve.py',
    args: (home, hub) => [`hf://acme/tiny:${hub.repo('acme/tiny').sha}`, join(home, 'models')],
    env: KSERVE,
    expected: ({ model }) => digestsOf(model),
    asked: (lines) => expect(xetIn(lines)).toEqual([]),
  },
  'hf_xet downloads a file by Xet where it is offered': {
    client: 'hf-2',
    script: 'fetch_file.py',
    args: () => ['acme/heavy', 'weights.bin'],
    settings: OFFER_XET,
    expected: () => sha256(HEAVY),
    asked(lines) {
      const answered = lines.filter(({ status }) => status < 300).map(({ path }) => path);
      expect(answered).toContainEqual(expect.stringContaining('/xet-read-token/'));
      expect(answered).toContainEqual(expect.stringMatching(/\/v[12]\/reconstructions\//));
      expect(answered).toContainEqual(expect.stringContaining('/xorbs/'));
      expect(lines.filter(({ method, path }) => method === 'GET' && path.includes('/resolve/'))).toEqual([]);
    },
  },
  'hf_xet is not used where Xet is not offered': {
    client: 'hf-2',
    script: 'fetch_file.py',
    args: () => ['acme/heavy', 'weights.bin'],
    expected: () => sha256(HEAVY),
    asked: (lines) => expect(xetIn(lines)).toEqual([]),
  },
};

const ROWS = { rows: 5000, sum: 12_497_500, last: { id: 4999, text: 'sentence 4999 of a site, 104248' } };

function partsOf(lines: Line[], path: string): number {
  return lines.filter((line) => line.path.endsWith(path) && line.status === 206).length;
}

function xetIn(lines: Line[]): Line[] {
  return lines.filter(({ path }) => /\/(xet|xet-read-token)\//.test(path));
}

function digestsOf(files: Record<string, Buffer>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, sha256(bytes)]));
}

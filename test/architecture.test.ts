import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

/** Floors of DESIGN §2, from the ground up; a file may import from its own floor and from below. */
const FLOORS: Record<string, number> = {
  'shared/model': 1,
  'shared/config': 1,
  'shared/telemetry': 1,
  'shared/storage': 2,
  'shared/upstream': 2,
  'shared/mirror': 3,
  'shared/bundle': 3,
  'shared/http': 4,
  'shared/service': 5,
  services: 6,
};

/** Rooms on one floor that have no door to each other. */
const APART = [
  ['shared/storage', 'shared/upstream'],
  ['shared/mirror', 'shared/bundle'],
];

interface Source {
  path: string;
  text: string;
  imports: string[];
}

const sources = ['shared', 'services'].flatMap((folder) => read(join(ROOT, folder)));

function read(folder: string): Source[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return read(path);
    if (!/\.(ts|mjs)$/.test(entry.name)) return [];
    const text = readFileSync(path, 'utf8');
    return [{ path: relative(ROOT, path), text, imports: importsOf(text) }];
  });
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

function targetOf(source: Source, specifier: string): string | undefined {
  return specifier.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(source.path), specifier)) : undefined;
}

function roomOf(path: string): string {
  return path.startsWith('services/') ? 'services' : path.split('/').slice(0, 2).join('/');
}

function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function filesThatImport(pattern: RegExp): string[] {
  return sources.filter(({ imports }) => imports.some((name) => pattern.test(name))).map(({ path }) => path);
}

describe('floors', () => {
  test('imports only point down', () => {
    const upward = sources.flatMap((source) =>
      source.imports.flatMap((specifier) => {
        const target = targetOf(source, specifier);
        if (!target || FLOORS[roomOf(target)]! <= FLOORS[roomOf(source.path)]!) return [];
        return [`${source.path} imports ${target}`];
      }),
    );
    expect(upward).toEqual([]);
  });

  test('rooms that share a floor without a door stay apart', () => {
    const crossings = sources.flatMap((source) =>
      source.imports.flatMap((specifier) => {
        const [from, to] = [roomOf(source.path), roomOf(targetOf(source, specifier) ?? '')];
        const apart = APART.some((pair) => from !== to && pair.includes(from) && pair.includes(to));
        return apart ? [`${source.path} imports ${specifier}`] : [];
      }),
    );
    expect(crossings).toEqual([]);
  });

  test('no service imports another', () => {
    const crossings = sources.flatMap((source) => {
      const own = /^services\/([^/]+)\//.exec(source.path)?.[1];
      if (!own || own === 'cli') return [];
      return source.imports.flatMap((specifier) => {
        const other = /^services\/([^/]+)\//.exec(targetOf(source, specifier) ?? '')?.[1];
        return other && other !== own ? [`${source.path} imports ${specifier}`] : [];
      });
    });
    expect(crossings).toEqual([]);
  });
});

/** Folders of TAO's own guide: they name files, not the mode. */
const TAO_NAMES = /airgapped-(models|assets)/g;

/** What reads settings, and what prints those of others. */
const isOfSettings = (path: string) => path.startsWith('shared/config/') || path.startsWith('services/cli/snippets/');

describe('each concern has one place', () => {
  test('the word for air-gapped mode stands in the upstream that refuses and in the shell that picks it', () => {
    const files = sources.filter(
      ({ path, text }) => /airgapped/i.test(code(text).replace(TAO_NAMES, '')) && !isOfSettings(path),
    );
    expect(files.map(({ path }) => path).sort()).toEqual(['shared/service/app.ts', 'shared/upstream/airgapped.ts']);
  });

  test('the AWS SDK stays in the engine driver', () => {
    for (const path of filesThatImport(/^@aws-sdk|^@smithy/)) expect(path).toMatch(/^shared\/storage\/s3-/);
  });

  test('the environment is read by the config loader alone', () => {
    const files = sources.filter(({ text }) => /process\.env/.test(code(text))).map(({ path }) => path);
    expect(files).toEqual(['shared/config/load.ts']);
  });

  test('bodies are written by send alone: no service pipes into a response', () => {
    const files = sources.filter(
      ({ path, text }) =>
        path.startsWith('services/') && /\.pipe\(res|pipeline\([^)]*\bres\b|res\.write\(|sendFile\(/.test(code(text)),
    );
    expect(files.map(({ path }) => path)).toEqual([]);
  });

  test('a protocol renders its errors only where the shell asks for it', () => {
    const callers = sources.filter(
      ({ path, text }) => path.startsWith('shared/') && /\.renderError\(/.test(code(text)),
    );
    expect(callers.map(({ path }) => path)).toEqual(['shared/http/render-errors.ts']);
  });

  test('one service is loaded by its folder name, in one place', () => {
    const files = sources.filter(
      ({ path, text }) =>
        !path.startsWith('services/cli/') &&
        /services\/|\.\/\$\{/.test(
          code(text)
            .match(/import\([^)]*\)/g)
            ?.join('') ?? '',
        ),
    );
    expect(files.map(({ path }) => path)).toEqual(['services/load.ts']);
  });
});

describe('habits', () => {
  test('no file is over 250 lines', () => {
    const long = sources.filter(({ text }) => text.split('\n').length > 251).map(({ path }) => path);
    expect(long).toEqual([]);
  });

  test('no file is called a manager, a helper or utils', () => {
    const vague = sources.filter(({ path }) => /manager|helper|utils?\.|common\./i.test(path)).map(({ path }) => path);
    expect(vague).toEqual([]);
  });

  test('shipped code never asks whether it is being tested', () => {
    const asking = sources.filter(({ text }) => /NODE_ENV|VITEST/.test(code(text))).map(({ path }) => path);
    expect(asking).toEqual([]);
  });
});

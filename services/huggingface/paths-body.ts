import type { Request } from 'express';
import { readBody } from '../../shared/http/read-body.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import { isTrue } from './answers.ts';

/** Bytes of a question about paths, and paths in it: a snapshot of a large dataset asks by thousands. */
const MOST_BYTES = 8 << 20;
const MOST_PATHS = 50_000;

/** Reads a small JSON object. Throws `bad-request`. */
export async function readJsonBody(req: Request, mostBytes = 1 << 20): Promise<Record<string, unknown>> {
  const bytes = await readBody(req, mostBytes);
  try {
    const value = JSON.parse(bytes.toString('utf8')) as unknown;
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new MirrorError('bad-request', 'request', 'the body is no JSON object');
}

/** `paths` and `expand`, as a form (Python) or as JSON (JavaScript, Rust). */
export async function readPaths(req: Request): Promise<{ paths: string[]; expand: boolean }> {
  const isForm = /^application\/x-www-form-urlencoded/i.test(req.headers['content-type'] ?? '');
  const { paths, expand } = isForm ? await formOf(req) : await readJsonBody(req, MOST_BYTES);
  const list = typeof paths === 'string' ? [paths] : paths;
  if (!Array.isArray(list) || !list.every((path): path is string => typeof path === 'string'))
    throw new MirrorError('bad-request', 'request', '"paths" is a list of paths in the repo');
  if (list.length > MOST_PATHS) throw new MirrorError('too-large', 'request', `at most ${MOST_PATHS} paths at a time`);
  return { paths: list, expand: isTrue(expand) };
}

async function formOf(req: Request): Promise<Record<string, unknown>> {
  const form = new URLSearchParams((await readBody(req, MOST_BYTES)).toString('utf8'));
  return { paths: [...form.getAll('paths'), ...form.getAll('paths[]')], expand: form.get('expand') };
}

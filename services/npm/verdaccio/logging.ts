import type { Logger } from 'pino';
import { loadModules } from './modules.ts';
import { units } from './unit.ts';

/** Levels of pino from which on Verdaccio's words are an error of ours. */
const ERROR = 50;

interface Line {
  level: number;
  msg?: string;
  name?: string;
}

let home: Logger | undefined;

/**
 * Has Verdaccio's warnings and errors written into our log. It has one logger per process, for all that run in it; of
 * its lines the words are taken and nothing else, since requests and their fields hang on them.
 * @param fallback for what belongs to no request
 */
export function takeVerdaccioLog(fallback: Logger): void {
  home = fallback;
  const { setUpLogger, logStream } = loadModules();
  const logger = setUpLogger({ type: 'stdout', format: 'json', level: 'warn' });
  logger[logStream] = { write };
}

function write(text: string): void {
  const log = units.getStore()?.log ?? home;
  const { level, msg } = JSON.parse(text) as Line;
  log?.[level >= ERROR ? 'error' : 'warn']({ event: 'verdaccio' }, msg ?? '');
}

import type { Command } from 'commander';
import { registerNpm } from '../doctor/npm.ts';
import { registerTao } from '../doctor/tao.ts';

export function register(program: Command): void {
  const doctor = program.command('doctor').description('looks why a client does not find what it needs here');
  registerNpm(doctor);
  registerTao(doctor);
}

import type { Command } from 'commander';
import { Grants } from '../../../shared/http/grants.ts';
import { type Action, Tokens } from '../../../shared/http/tokens.ts';
import { MirrorError } from '../../../shared/model/errors.ts';
import { openSession, type Session, STORE_OPTION, withStore } from '../session.ts';

export function register(program: Command): void {
  const token = program.command('token').description('tokens for uploads, and for reads where anonymous ones are off');
  token
    .command('create')
    .description('makes a token and prints its secret, once')
    .argument('<name>', 'whose it is')
    .option('--store <place>', STORE_OPTION)
    .option('--read', 'may read')
    .option('--write', 'may write (and read)')
    .option('--admin', 'may do everything')
    .option('--service <name...>', 'only these services')
    .option('--days <n>', 'is good for so many days', Number)
    .option('--s3', 'as an access key of S3: two lines, its id and its secret')
    .option('--hf', 'of the shape hf_…, which clients of model hubs insist on')
    .option('--ngc', 'with nvapi- in front, as clients of NGC take keys')
    .action(create);
  token
    .command('list')
    .description('shows the tokens there are')
    .option('--store <place>', STORE_OPTION)
    .action(async (_options, command: Command) => {
      const session = await openSession(command);
      await withStore(session, async (store) => {
        for await (const token of tokensOf(store, session).list()) {
          const { id, name, actions, services, expires } = token;
          process.stdout.write(
            session.json
              ? `${JSON.stringify(token)}\n`
              : `${id}  ${name}  ${actions.join(',')}  ${services.join(',')}  ${expires ?? 'no end'}\n`,
          );
        }
      });
    });
  token
    .command('revoke')
    .description('ends a token')
    .argument('<id>', 'as "larder token list" shows it')
    .option('--store <place>', STORE_OPTION)
    .action(async (id: string, _options, command: Command) => {
      const session = await openSession(command);
      await withStore(session, (store) => tokensOf(store, session).revoke(id));
      process.stdout.write(`${id} is revoked; running services forget it within seconds\n`);
    });
}

interface CreateOptions {
  read?: boolean;
  write?: boolean;
  admin?: boolean;
  service?: string[];
  days?: number;
  hf?: boolean;
  ngc?: boolean;
  s3?: boolean;
}

async function create(name: string, options: CreateOptions, command: Command): Promise<void> {
  const session = await openSession(command);
  const actions: Action[] = options.admin
    ? ['read', 'write', 'admin']
    : options.write
      ? ['read', 'write']
      : options.read
        ? ['read']
        : [];
  if (actions.length === 0)
    throw new MirrorError('bad-request', 'settings', 'say what the token is for: --read, --write or --admin');
  if (options.days !== undefined && !(options.days > 0))
    throw new MirrorError('bad-request', 'settings', '--days takes a number above 0');
  const unknown = (options.service ?? []).filter((service) => !session.services.some((one) => one.name === service));
  if (unknown.length > 0) throw new MirrorError('bad-request', 'settings', `there is no service ${unknown.join(', ')}`);
  const expires = options.days ? new Date(session.now() + options.days * 86_400_000).toISOString() : undefined;
  const lines = await withStore(session, async (store) => {
    const services = options.service ?? (options.s3 ? ['s3'] : options.ngc ? ['ngc'] : ['*']);
    const shape = options.hf ? 'hf' : 'lrd';
    const { token, secret } = await tokensOf(store, session).create({ name, actions, services, expires, shape });
    if (!options.s3) return [options.ngc ? `nvapi-${secret}` : secret];
    const accessKeyId = `lrd_${token.id}`;
    return [accessKeyId, await new Grants(store.objects, { now: session.now }).secretFor(`s3 ${accessKeyId}`)];
  });
  process.stderr.write('The secret is shown this once and kept nowhere:\n');
  process.stdout.write(`${lines.join('\n')}\n`);
}

function tokensOf(store: { objects: ConstructorParameters<typeof Tokens>[0] }, session: Session): Tokens {
  return new Tokens(store.objects, { now: session.now });
}

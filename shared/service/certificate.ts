import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import type { Config } from '../config/load.ts';
import { MirrorError } from '../model/errors.ts';

/** Milliseconds for which a look at the files is believed. */
const LOOK = 1000;
/** Milliseconds before its end at which a certificate is worth a warning. */
const SOON = 14 * 86_400_000;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

interface Files {
  certFile: string;
  keyFile: string;
}

interface Surroundings {
  log: Logger;
  now(): number;
}

/**
 * The certificate of the services that have a tlsPort.
 * Throws `bad-request`, naming the setting, when there is none or it cannot be used.
 */
export function certificateOf(
  config: Config,
  services: readonly { name: string }[],
  surroundings: Surroundings,
): Certificate | undefined {
  const { certFile, keyFile } = config.suite.tls;
  const [first] = services.filter(({ name }) => config.services.get(name)!.listener.tlsPort !== undefined);
  if (!first) {
    if (certFile) surroundings.log.warn({ event: 'tls-unused' }, 'tls.certFile is set and no service has a tlsPort');
    return undefined;
  }
  if (certFile && keyFile) return new Certificate({ certFile, keyFile }, surroundings);
  const lacking = certFile ? 'keyFile' : 'certFile';
  throw wrong(lacking, `it is not set, and ${first.name}.tlsPort needs it: the path of a PEM file`);
}

/** What servers show of themselves: files that may be replaced while they run. */
export class Certificate {
  readonly #files: Files;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #servers: Server[] = [];
  #read: { context: SecureContextOptions; own: X509Certificate };
  #mark: string;
  #looked: number;
  #said = '';

  constructor(files: Files, { log, now }: Surroundings) {
    this.#files = files;
    this.#log = log;
    this.#now = now;
    this.#mark = markOf(files);
    this.#read = read(files);
    this.#looked = now();
    this.#sayWhatIsWrong();
  }

  /** Has a server show it, and what it is replaced with: connections that are open go on with what they have. */
  serve(server: Server): void {
    server.setSecureContext(this.#read.context);
    this.#servers.push(server);
    server.prependListener('connection', () => this.#look());
    server.on('close', () => void this.#servers.splice(this.#servers.indexOf(server), 1));
    server.on('tlsClientError', (error) => this.#log.debug({ event: 'tls-refused', err: error }, 'no TLS came about'));
  }

  /** Looks whether the files changed, before somebody is shown what they were: nobody else has to know of it. */
  #look(): void {
    const at = this.#now();
    if (at - this.#looked < LOOK && at >= this.#looked) return;
    this.#looked = at;
    const mark = markOf(this.#files);
    if (mark !== this.#mark) this.#renew(mark);
    this.#sayWhatIsWrong();
  }

  /** Two files are never replaced at once: what does not fit is not taken, and looked at when it changes again. */
  #renew(mark: string): void {
    this.#mark = mark;
    try {
      this.#read = read(this.#files);
    } catch (error) {
      this.#log.warn(
        { event: 'tls-kept', err: error },
        'the new certificate cannot be used; the one before it is kept',
      );
      return;
    }
    for (const server of this.#servers) server.setSecureContext(this.#read.context);
    this.#log.info({ event: 'tls-renewed', until: this.#read.own.validTo }, 'a new certificate is shown');
  }

  /** Once for each thing: clients will say it, but not to those who can do something about it. */
  #sayWhatIsWrong(): void {
    const { own } = this.#read;
    const problem = problemOf(own, this.#now());
    const said = `${own.fingerprint256} ${problem}`;
    if (said === this.#said) return;
    this.#said = said;
    if (problem) this.#log.warn({ event: 'tls-dates', file: this.#files.certFile }, `the certificate ${problem}`);
  }
}

function problemOf({ validFromDate, validToDate, validFrom, validTo }: X509Certificate, now: number) {
  if (now > validToDate.getTime()) return `has expired: it was good until ${validTo}, and clients will refuse it`;
  if (now < validFromDate.getTime()) return `is only good from ${validFrom}: is the clock of this machine right?`;
  return now > validToDate.getTime() - SOON ? `expires soon: it is good until ${validTo}` : undefined;
}

/** Changes when a file does, links of secrets that are mounted included. */
function markOf({ certFile, keyFile }: Files): string {
  const marks = [certFile, keyFile].map((file) => {
    try {
      const { ino, size, mtimeNs } = statSync(file, { bigint: true });
      return `${ino} ${size} ${mtimeNs}`;
    } catch {
      return 'none';
    }
  });
  return marks.join(', ');
}

function read(files: Files): { context: SecureContextOptions; own: X509Certificate } {
  const cert = textOf('certFile', files.certFile);
  const chain = chainIn(cert, files.certFile);
  const key = textOf('keyFile', files.keyFile);
  const own = ownOf(chain, keyIn(key, files.keyFile), files);
  const context: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2' };
  try {
    createSecureContext(context);
  } catch (error) {
    throw wrong('certFile', `${files.certFile} cannot be used (${(error as Error).message})`, error);
  }
  return { context, own };
}

function textOf(setting: keyof Files, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw wrong(setting, `${file} cannot be read (${(error as NodeJS.ErrnoException).code})`, error);
  }
}

function chainIn(text: string, file: string): X509Certificate[] {
  try {
    const chain = (text.match(PEM) ?? []).map((one) => new X509Certificate(one));
    if (chain.length > 0) return chain;
  } catch (error) {
    throw wrong('certFile', `${file} holds a certificate that cannot be read`, error);
  }
  throw wrong('certFile', `${file} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)`);
}

function keyIn(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    const isLocked = text.includes('ENCRYPTED');
    const why = isLocked
      ? `the key in ${file} has a passphrase; it must have none`
      : `${file} holds no private key in PEM`;
    throw wrong('keyFile', why, error);
  }
}

function ownOf(chain: readonly X509Certificate[], key: KeyObject, { certFile, keyFile }: Files): X509Certificate {
  const at = chain.findIndex((one) => one.checkPrivateKey(key));
  if (at === 0) return chain[0]!;
  if (at > 0)
    throw wrong('certFile', `the server's own certificate must be the first in ${certFile}; it is number ${at + 1}`);
  throw wrong('keyFile', `the key in ${keyFile} does not fit the certificate in ${certFile}`);
}

function wrong(setting: keyof Files, why: string, cause?: unknown): MirrorError {
  return new MirrorError('bad-request', 'settings', `tls.${setting}: ${why}`, { cause });
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './python-clients.ts';

/** A certificate that nobody trusts who is not told to. PEM. */
export interface Certificate {
  key: string;
  cert: string;
}

/** @param names what it is for; loopback unless told */
export async function makeCertificate(folder: string, names = 'IP:127.0.0.1,DNS:localhost'): Promise<Certificate> {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=larder test', '-addext', `subjectAltName=${names}`];
  const ran = await runCommand('openssl', [...made, ...subject, '-keyout', key, '-out', cert]);
  if (ran.code !== 0) throw new Error(`openssl made no certificate: ${ran.stderr}`);
  return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
}

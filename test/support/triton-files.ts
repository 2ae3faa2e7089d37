import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from './signer-sha256.ts';

export interface TritonCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  /** PEM, for addresses with https. */
  ca?: string;
}

/** What must have a port, and paths of these characters: others are taken for a bucket of AWS. */
const ADDRESS = /^s3:\/\/(https?):\/\/([0-9a-zA-Z\-.]+):([0-9]+)\/([0-9a-z.-]+)((?:\/[0-9a-zA-Z.\-_]+)*)\/*$/;
const NOTHING = createHash('sha256').digest('hex');

/**
 * Triton's file system over S3, request by request in the order in which its source makes them: the server itself is of
 * gigabytes. It asks for the bucket before every question, lists without a delimiter, and signs no body.
 */
export class TritonFiles {
  /** What was asked so far: `HEAD /bucket`. */
  readonly asked: string[] = [];
  readonly #scheme: string;
  readonly #host: string;
  readonly #bucket: string;
  readonly #credentials: TritonCredentials;
  /** Path of the model repository in its bucket. */
  readonly root: string;

  /** Throws for an address that Triton does not take. */
  constructor(address: string, credentials: TritonCredentials) {
    const found = ADDRESS.exec(address);
    if (!found) throw new Error(`${address} is not what Triton takes`);
    const [, scheme = '', name, port, bucket = '', path = ''] = found;
    [this.#scheme, this.#host, this.#bucket, this.root] = [scheme, `${name}:${port}`, bucket, path.slice(1)];
    this.#credentials = credentials;
  }

  /** What it does first. Throws as Triton does when the bucket does not answer. */
  async checkClient(): Promise<void> {
    const { status } = await this.#ask('HEAD', '');
    if (status !== 200) throw new Error(`Unable to create S3 filesystem client: ${status}`);
  }

  async isDirectory(path: string): Promise<boolean> {
    await this.checkClient();
    if (path === '') return true;
    const { text } = await this.#list(path);
    return text.includes('<Contents>');
  }

  async fileExists(path: string): Promise<boolean> {
    if (await this.isDirectory(path)) return true;
    const { status } = await this.#ask('HEAD', path);
    if (status !== 200 && status !== 404) throw new Error(`Could not get MetaData for object at ${path}: ${status}`);
    return status === 200;
  }

  /** Milliseconds; 0 of a directory. */
  async modificationTime(path: string): Promise<number> {
    if (await this.isDirectory(path)) return 0;
    const { headers } = await this.#ask('HEAD', path);
    return Date.parse(headers['last-modified']!);
  }

  /** What lies right below a directory, from lists of all that lies anywhere below it. */
  async contents(path: string): Promise<string[]> {
    const found = new Set<string>();
    const base = path === '' ? '' : `${path}/`;
    let token: string | undefined;
    do {
      const page = await this.#list(path, token);
      for (const [, key = ''] of page.text.matchAll(/<Key>([^<]*)<\/Key>/g))
        if (key !== base) found.add(key.slice(base.length).split('/')[0]!);
      const isCut = page.text.includes('<IsTruncated>true</IsTruncated>');
      token = isCut ? /<NextContinuationToken>([^<]+)</.exec(page.text)![1] : undefined;
    } while (token !== undefined);
    return [...found];
  }

  async subdirectories(path: string): Promise<string[]> {
    const found: string[] = [];
    for (const name of await this.contents(path)) if (await this.isDirectory(join(path, name))) found.push(name);
    return found;
  }

  async readText(path: string): Promise<string> {
    if (!(await this.fileExists(path))) throw new Error(`File does not exist at ${path}`);
    return (await this.#ask('GET', path)).body.toString();
  }

  /** Brings a directory here, level by level. */
  async localize(path: string, to: string): Promise<void> {
    if (!(await this.fileExists(path))) throw new Error(`directory or file does not exist at ${path}`);
    await this.isDirectory(path);
    await mkdir(to, { recursive: true });
    let level = (await this.contents(path)).map((name) => join(path, name));
    while (level.length > 0) {
      const next: string[] = [];
      for (const one of level) {
        const local = join(to, one.slice(path.length));
        if (await this.isDirectory(one)) {
          await mkdir(local, { recursive: true });
          next.push(...(await this.contents(one)).map((name) => join(one, name)));
        } else await writeFile(local, (await this.#ask('GET', one)).body);
      }
      level = next;
    }
  }

  async #list(path: string, token?: string): Promise<{ text: string }> {
    const more: Record<string, string> = token === undefined ? {} : { 'continuation-token': token };
    const prefix = path === '' ? '' : `${path}/`;
    const { status, body } = await this.#ask('GET', '', { 'list-type': '2', prefix, ...more });
    if (status !== 200) throw new Error(`Failed to list objects with prefix ${prefix}: ${status} ${body}`);
    return { text: body.toString() };
  }

  /** One signed request, as the SDK for C++ makes it. */
  async #ask(method: string, key: string, query: Record<string, string> = {}) {
    const path = `/${this.#bucket}${key === '' ? '' : `/${key}`}`;
    this.asked.push(`${method} ${path}${'prefix' in query ? ` ${query.prefix}` : ''}`);
    const hash = this.#scheme === 'https' ? 'UNSIGNED-PAYLOAD' : NOTHING;
    const headers = {
      ...{ host: this.#host, 'x-amz-content-sha256': hash, 'x-amz-api-version': '2006-03-01' },
      ...{ 'amz-sdk-invocation-id': randomUUID(), 'amz-sdk-request': 'attempt=1' },
    };
    const { accessKeyId, secretAccessKey, region, ca } = this.#credentials;
    const credentials = { accessKeyId, secretAccessKey };
    const signer = new SignatureV4({ service: 's3', region, credentials, sha256: Sha256, uriEscapePath: false });
    const [protocol, hostname] = [`${this.#scheme}:`, this.#host.split(':')[0]!];
    const signed = await signer.sign({ method, protocol, hostname, path, query, headers });
    const text = new URLSearchParams(query).toString().replaceAll('+', '%20');
    const url = `${protocol}//${this.#host}${path}${text && `?${text}`}`;
    const send = this.#scheme === 'https' ? overHttps : overHttp;
    const sent = send(url, { method, headers: signed.headers, ca, timeout: 30_000 }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: answer.statusCode!, headers: answer.headers, body: await buffer(answer) };
  }
}

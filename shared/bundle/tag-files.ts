import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashFile } from './hash-file.ts';
import { TAG_FILES, TAG_MANIFEST } from './layout.ts';

/** BagIt 1.0, RFC 8493 §2.1.1: "The 'bagit.txt' tag file MUST consist of exactly two lines in this order". */
const BAGIT = 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n';

export interface BagFacts {
  id: string;
  channel: string | undefined;
  /** ISO 8601. */
  created: string;
  tool: string;
  /** Files and bytes under data/. */
  payloadFiles: number;
  payloadBytes: number;
}

/** Writes the tag files that only describe: README.txt, bagit.txt, bag-info.txt, and the OCI layout's two. */
export async function writeDescriptions(dir: string, facts: BagFacts): Promise<void> {
  await writeFile(join(dir, 'bagit.txt'), BAGIT);
  const info = [
    `Bag-Software-Agent: ${facts.tool}`,
    `Bagging-Date: ${facts.created.slice(0, 10)}`,
    `External-Identifier: ${facts.id}`,
    ...(facts.channel ? [`Bag-Group-Identifier: ${facts.channel}`] : []),
    // RFC 8493 §2.2.2: "The value MUST be of the form OctetCount.StreamCount"
    `Payload-Oxum: ${facts.payloadBytes}.${facts.payloadFiles}`,
  ];
  await writeFile(join(dir, 'bag-info.txt'), `${info.join('\n')}\n`);
  await writeFile(join(dir, 'README.txt'), readme(facts));
}

/** The image layout that the payload is; content that is no image needs no manifest in it. */
export async function writeOciLayout(dir: string): Promise<void> {
  await mkdir(join(dir, 'data'), { recursive: true });
  await writeFile(join(dir, 'data/oci-layout'), '{"imageLayoutVersion":"1.0.0"}\n');
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
  await writeFile(join(dir, 'data/index.json'), `${JSON.stringify(index)}\n`);
}

/**
 * Writes the tag manifest over all other tag files.
 * @returns the sha256 of the tag manifest: it stands for the whole bundle
 */
export async function writeTagManifest(dir: string): Promise<string> {
  const lines: string[] = [];
  for (const name of TAG_FILES) lines.push(`${(await hashFile(join(dir, name), 0)).sha256}  ${name}\n`);
  await writeFile(join(dir, TAG_MANIFEST), lines.join(''));
  return (await hashFile(join(dir, TAG_MANIFEST), 0)).sha256;
}

/** The first 16 hex digits, in fours: short enough to be read out over a telephone. */
export function spokenCode(tagManifestSha256: string): string {
  return tagManifestSha256.slice(0, 16).toUpperCase().match(/.{4}/g)!.join('-');
}

function readme(facts: BagFacts): string {
  return `This folder is the Larder bundle "${facts.id}", made ${facts.created}.

It can be checked without Larder. In this folder:

    sha256sum -c --quiet tagmanifest-sha256.txt && sha256sum -c --quiet manifest-sha256.txt

Both lists cover every file; "sha256sum -c" alone does not notice a file that was added, "larder bundle verify" does.
It is a BagIt bag (RFC 8493), and data/ is an OCI image layout. Bytes lie under data/blobs/sha256/ by their own sha256;
their real names stand in index/items.jsonl, one item per line.

With Larder:

    larder bundle inspect <this folder>      what is in it
    larder bundle verify <this folder>       every byte read and compared
    larder bundle import <this folder>       into the store; may be stopped and run again at any time
`;
}

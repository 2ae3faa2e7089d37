import { createHash } from 'node:crypto';
import { crc32, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** A file of a distribution, as an index offers it. */
export interface BuiltFile {
  filename: string;
  bytes: Buffer;
  sha256: string;
  /** Of a wheel: its METADATA, as it stands inside. */
  metadata?: Buffer;
  requiresPython?: string;
}

export interface DistributionOptions {
  name: string;
  version: string;
  requiresDist?: readonly string[];
  requiresPython?: string;
  /** Extras that `requiresDist` speaks of. */
  extras?: readonly string[];
  /** Further files, by path. */
  files?: Record<string, string | Buffer>;
}

export interface WheelOptions extends DistributionOptions {
  /** `cp312-cp312-manylinux_2_17_x86_64`; pure Python when unset. */
  tag?: string;
  build?: string;
}

export interface SdistOptions extends DistributionOptions {
  /** `build-system.requires`; no pyproject.toml at all when null. */
  buildRequires?: readonly string[] | null;
  kind?: 'tar.gz' | 'zip';
  /** PKG-INFO of 2.2 or later tells its requirements for good; an older one does not. */
  metadataVersion?: string;
  /** Fields that may change in a build. */
  dynamic?: readonly string[];
}

/** A real wheel: installers take it. Its one module says its version. */
export function buildWheel(options: WheelOptions): BuiltFile {
  const { name, version, tag = 'py3-none-any', build } = options;
  const stem = `${escaped(name)}-${version}`;
  const filename = [stem, ...(build ? [build] : []), tag].join('-') + '.whl';
  const metadata = metadataOf('2.4', options, []);
  const members: Record<string, string | Buffer> = {
    [`${escaped(name).toLowerCase()}.py`]: `__version__ = "${version}"\n`,
    ...options.files,
    [`${stem}.dist-info/METADATA`]: metadata,
    [`${stem}.dist-info/WHEEL`]: wheelFile(tag, build),
  };
  const record = Object.entries(members).map(([path, body]) => {
    const hash = createHash('sha256').update(body).digest('base64url');
    return `${path},sha256=${hash},${Buffer.byteLength(body)}\n`;
  });
  members[`${stem}.dist-info/RECORD`] = `${record.join('')}${stem}.dist-info/RECORD,,\n`;
  return built(filename, zip(members), options, Buffer.from(metadata));
}

/** A real source distribution. */
export async function buildSdist(options: SdistOptions): Promise<BuiltFile> {
  const { name, version, buildRequires, kind = 'tar.gz', metadataVersion = '2.2', dynamic = [] } = options;
  const stem = `${escaped(name)}-${version}`;
  const members: Record<string, string | Buffer> = {
    [`${stem}/PKG-INFO`]: metadataOf(metadataVersion, options, dynamic),
    [`${stem}/setup.py`]: 'from setuptools import setup\nsetup()\n',
  };
  if (buildRequires !== null) {
    const requires = (buildRequires ?? ['setuptools>=61']).map((one) => JSON.stringify(one)).join(', ');
    members[`${stem}/pyproject.toml`] =
      `[build-system]\nrequires = [${requires}]\nbuild-backend = "setuptools.build_meta"\n`;
  }
  for (const [path, body] of Object.entries(options.files ?? {})) members[`${stem}/${path}`] = body;
  const bytes = kind === 'zip' ? zip(members) : await tarball(members);
  return built(`${stem}.${kind}`, bytes, options);
}

function built(filename: string, bytes: Buffer, { requiresPython }: DistributionOptions, metadata?: Buffer): BuiltFile {
  return { filename, bytes, sha256: createHash('sha256').update(bytes).digest('hex'), metadata, requiresPython };
}

function escaped(name: string): string {
  return name.replace(/[-_.]+/g, '_');
}

function metadataOf(version: string, options: DistributionOptions, dynamic: readonly string[]): string {
  const { requiresDist = [], extras = [], requiresPython } = options;
  const lines = [
    `Metadata-Version: ${version}`,
    `Name: ${options.name}`,
    `Version: ${options.version}`,
    ...(requiresPython ? [`Requires-Python: ${requiresPython}`] : []),
    ...dynamic.map((field) => `Dynamic: ${field}`),
    ...extras.map((extra) => `Provides-Extra: ${extra}`),
    ...requiresDist.map((requirement) => `Requires-Dist: ${requirement}`),
  ];
  return `${lines.join('\n')}\n\nMade for a test.\n`;
}

function wheelFile(tag: string, build: string | undefined): string {
  const [pythons, abis, platforms] = tag.split('-').map((part) => part.split('.')) as [string[], string[], string[]];
  const single = pythons.flatMap((python) => abis.flatMap((abi) => platforms.map((one) => `${python}-${abi}-${one}`)));
  const head = `Wheel-Version: 1.0\nGenerator: larder-test\nRoot-Is-Purelib: ${platforms[0] === 'any'}\n`;
  return `${head}${build ? `Build: ${build}\n` : ''}${single.map((one) => `Tag: ${one}\n`).join('')}`;
}

/** A zip whose members are stored as they are; always the same bytes for the same members. */
export function zip(members: Record<string, string | Buffer>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, content] of Object.entries(members)) {
    const body = Buffer.from(content);
    const name = Buffer.from(path);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x0800, 2);
    common.writeUInt16LE(0x21, 8); // 1980-01-01
    common.writeUInt32LE(crc32(body), 10);
    common.writeUInt32LE(body.length, 14);
    common.writeUInt32LE(body.length, 18);
    common.writeUInt16LE(name.length, 22);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(0x0314, 4);
    common.copy(central, 6);
    central.writeUInt32LE((0o100644 << 16) >>> 0, 38);
    central.writeUInt32LE(offset, 42);
    parts.push(Buffer.from('PK\x03\x04'), common, name, body);
    directory.push(central, name);
    offset += 30 + name.length + body.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length / 2, 8);
  end.writeUInt16LE(directory.length / 2, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, listing, end]);
}

async function tarball(members: Record<string, string | Buffer>): Promise<Buffer> {
  const archive = pack();
  for (const [name, body] of Object.entries(members)) archive.entry({ name, mtime: new Date(0) }, body);
  archive.finalize();
  return gzipSync(Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>)));
}

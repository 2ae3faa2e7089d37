import { type FileRecord, isComplete, isWheel, type ProjectPage } from './project-page.ts';

/** The version of the Simple API that we speak (PEP 792 is its newest part; PEP 833 freezes HTML there). */
export const API_VERSION = '1.4';

const NAMES_PER_PIECE = 5_000;

/** How a page's links are written: the path of a file from the page, and the address of its attestations. */
export interface Links {
  file(file: FileRecord): string;
  provenance(file: FileRecord): string | undefined;
}

/** What a page may say besides: keys with an underscore are the server's own (PEP 691). */
export interface PageNotes {
  /** Where only what is held is listed. */
  held?: number;
  listed: number;
}

/** The project as JSON (PEP 691, 700, 714, 740, 792). */
export function renderJsonPage(page: ProjectPage, links: Links, notes: PageNotes): string {
  // "1.1: size … MUST" (PEP 700): a page that lacks one of them is an honest 1.0
  const complete = isComplete(page);
  return JSON.stringify({
    meta: {
      'api-version': complete ? API_VERSION : '1.0',
      ...(page.lastSerial === undefined ? {} : { '_last-serial': page.lastSerial }),
    },
    name: page.name,
    ...(complete ? { versions: page.versions } : {}),
    ...(page.status && complete ? { 'project-status': page.status } : {}),
    files: page.files.map((file) => jsonFile(file, links)),
    _larder: notes,
  });
}

function jsonFile(file: FileRecord, links: Links): object {
  const metadata = metadataOf(file);
  const provenance = links.provenance(file);
  return {
    filename: file.filename,
    url: links.file(file),
    hashes: file.hashes,
    ...(file.size === undefined ? {} : { size: file.size }),
    ...(file['upload-time'] ? { 'upload-time': file['upload-time'] } : {}),
    ...(file['requires-python'] ? { 'requires-python': file['requires-python'] } : {}),
    yanked: file.yanked,
    // "dist-info-metadata" breaks pip 22.2 to 23.0, which is why PEP 714 renamed it; the older key here is the one that
    // PyPI has, which some clients read
    'core-metadata': metadata,
    'data-dist-info-metadata': metadata,
    ...(provenance ? { provenance } : {}),
  };
}

/** An origin that has no METADATA beside its wheels does not matter: it is read out of the wheel when asked for. */
function metadataOf(file: FileRecord): FileRecord['core-metadata'] {
  return isWheel(file.filename) && file['core-metadata'] === false ? true : file['core-metadata'];
}

/** The project as HTML5 (PEP 503, 592, 629, 658, 714, 740, 792). */
export function renderHtmlPage(page: ProjectPage, links: Links): string {
  const complete = isComplete(page);
  const status =
    page.status && complete ? [`<meta name="pypi:project-status" content="${escapeHtml(page.status.status)}">`] : [];
  if (page.status?.reason && complete)
    status.push(`<meta name="pypi:project-status-reason" content="${escapeHtml(page.status.reason)}">`);
  const title = `Links for ${page.name}`;
  const anchors = page.files.map((file) => `<a ${htmlAttributes(file, links)}>${escapeHtml(file.filename)}</a><br>\n`);
  const head = headOf(title, complete ? API_VERSION : '1.0', status);
  return `${head}<h1>${escapeHtml(title)}</h1>\n${anchors.join('')}${FOOT}`;
}

function htmlAttributes(file: FileRecord, links: Links): string {
  const metadata = metadataOf(file);
  const [algorithm, hex] = strongest(file.hashes);
  const attributes = [`href="${escapeHtml(links.file(file) + (algorithm ? `#${algorithm}=${hex}` : ''))}"`];
  if (file['requires-python']) attributes.push(`data-requires-python="${escapeHtml(file['requires-python'])}"`);
  if (file.yanked !== false) attributes.push(`data-yanked="${escapeHtml(file.yanked === true ? '' : file.yanked)}"`);
  if (metadata !== false) {
    const value = metadata === true ? 'true' : `sha256=${metadata.sha256}`;
    attributes.push(`data-dist-info-metadata="${value}"`, `data-core-metadata="${value}"`);
  }
  const provenance = links.provenance(file);
  if (provenance) attributes.push(`data-provenance="${escapeHtml(provenance)}"`);
  return attributes.join(' ');
}

function strongest(hashes: Record<string, string>): [string, string] | [] {
  const known = ['sha256', 'sha512', 'sha384', 'sha224', 'sha1', 'md5'].find((candidate) => candidate in hashes);
  const name = known ?? Object.keys(hashes)[0];
  return name ? [name, hashes[name]!] : [];
}

/** The list of all names, in pieces: large indexes have some hundred thousand. */
export function* rootPieces(
  names: readonly string[],
  format: 'json' | 'html',
  lastSerial: number | undefined,
): Generator<string> {
  const json = format === 'json';
  const meta = { 'api-version': API_VERSION, ...(lastSerial === undefined ? {} : { '_last-serial': lastSerial }) };
  yield json ? `{"meta":${JSON.stringify(meta)},"projects":[` : headOf('Simple index', API_VERSION, []);
  for (let first = 0; first < names.length; first += NAMES_PER_PIECE) {
    const piece = names.slice(first, first + NAMES_PER_PIECE);
    if (json) yield `${first === 0 ? '' : ','}${piece.map((name) => `{"name":${JSON.stringify(name)}}`).join(',')}`;
    else yield piece.map((name) => `<a href="${escapeHtml(name)}/">${escapeHtml(name)}</a>\n`).join('');
  }
  yield json ? ']}' : FOOT;
}

function headOf(title: string, version: string, meta: readonly string[]): string {
  return `<!DOCTYPE html>
<html>
<head>
<meta name="pypi:repository-version" content="${version}">
${meta.map((line) => `${line}\n`).join('')}<title>${escapeHtml(title)}</title>
</head>
<body>
`;
}

const FOOT = '</body>\n</html>\n';

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

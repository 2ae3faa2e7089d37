import { Parser } from 'htmlparser2';
import { absolute, checkApiVersion, lowerCase } from './parse-json.ts';
import { parseFilename } from './project-name.ts';
import { type FileRecord, type ProjectPage, versionsOf } from './project-page.ts';

interface Link {
  href: string;
  text: string;
  attributes: Record<string, string>;
}

interface ParsedHtml {
  links: Link[];
  /** `<meta name>` → content. */
  meta: Map<string, string>;
  base: string;
}

/**
 * Reads an origin's HTML: a PEP 503 page, a flat page of links (`--find-links`), PyTorch's layout. Links to files of
 * other projects, which a flat page has, and links to anything else are passed over.
 * Throws `upstream-failed` for a page of an API that is not known here.
 */
export function parseHtmlPage(bytes: Buffer, url: string, project: string): ProjectPage {
  const { links, meta, base } = readHtml(bytes, url);
  checkApiVersion(meta.get('pypi:repository-version') ?? '1.0', url);
  const seen = new Set<string>();
  const files: FileRecord[] = [];
  for (const link of links) {
    const record = recordOf(link, base);
    if (!record || seen.has(record.filename) || parseFilename(record.filename, project)?.project !== project) continue;
    seen.add(record.filename);
    files.push(record);
  }
  const status = meta.get('pypi:project-status');
  const reason = meta.get('pypi:project-status-reason');
  return {
    name: project,
    files,
    versions: versionsOf(files, project),
    ...(status ? { status: { status, reason } } : {}),
  };
}

/** Names on an origin's root page; of a flat page, those of its files. */
export function parseHtmlRoot(bytes: Buffer, url: string, flat: boolean): string[] {
  const { links, base } = readHtml(bytes, url);
  if (!flat) return links.map(({ text }) => text.trim().replace(/\/$/, '')).filter((text) => text !== '');
  const names = links.map((link) => parseFilename(filenameOf(link, base))?.project);
  return [...new Set(names.filter((name) => name !== undefined))];
}

function readHtml(bytes: Buffer, url: string): ParsedHtml {
  const parsed: ParsedHtml = { links: [], meta: new Map(), base: url };
  let open: Link | undefined;
  let hasBase = false;
  const parser = new Parser({
    onopentag(name, attributes) {
      // "There must be no more than one base element": the first counts
      if (name === 'base' && attributes.href && !hasBase) {
        parsed.base = absolute(attributes.href, url) ?? url;
        hasBase = true;
      }
      if (name === 'meta' && attributes.name) parsed.meta.set(attributes.name.toLowerCase(), attributes.content ?? '');
      if (name === 'a' && attributes.href !== undefined) {
        open = { href: attributes.href.trim(), text: '', attributes };
        parsed.links.push(open);
      }
    },
    ontext(text) {
      if (open) open.text += text;
    },
    onclosetag(name) {
      if (name === 'a') open = undefined;
    },
  });
  parser.end(bytes.toString('utf8'));
  return parsed;
}

/** "The text of the anchor tag MUST match the final path component (the filename) of the URL"; not all keep to it. */
function filenameOf(link: Link, base: string): string {
  const text = link.text.trim();
  if (parseFilename(text)) return text;
  const path = absolute(link.href, base)?.split('?', 1)[0] ?? '';
  try {
    return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
  } catch {
    return '';
  }
}

function recordOf(link: Link, base: string): FileRecord | undefined {
  const filename = filenameOf(link, base);
  const url = absolute(link.href, base);
  if (!url || !parseFilename(filename)) return undefined;
  const { attributes } = link;
  const record: FileRecord = {
    filename,
    url,
    hashes: hashesOf(link.href),
    yanked: 'data-yanked' in attributes ? attributes['data-yanked'] || true : false,
    'core-metadata': metadataOf(attributes['data-core-metadata'] ?? attributes['data-dist-info-metadata']),
  };
  if (attributes['data-requires-python']) record['requires-python'] = attributes['data-requires-python'];
  const provenance = attributes['data-provenance'] && absolute(attributes['data-provenance'], base);
  if (provenance) record.provenance = provenance;
  return record;
}

/** "#<hashname>=<hashvalue>" (PEP 503); other fragments (`egg=`, `subdirectory=`) may stand beside it. */
function hashesOf(href: string): Record<string, string> {
  const cut = href.indexOf('#');
  if (cut === -1) return {};
  const pairs = href
    .slice(cut + 1)
    .split('&')
    .map((pair) => pair.split('=', 2) as [string, string?]);
  return lowerCase(
    Object.fromEntries(
      pairs.filter(([name]) => name !== 'egg' && name !== 'subdirectory').map(([name, hex]) => [name, hex ?? '']),
    ),
  );
}

function metadataOf(value: string | undefined): FileRecord['core-metadata'] {
  if (value === undefined || value === 'false') return false;
  const sha256 = /^sha256=([0-9a-fA-F]{64})$/.exec(value)?.[1];
  return sha256 ? { sha256: sha256.toLowerCase() } : true;
}

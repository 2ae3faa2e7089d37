import type { RequestHandler } from 'express';
import { baseUrl } from '../../shared/http/base-url.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { metadataText } from './metadata.ts';
import { type PageRooms, RenderedPage, sendPage } from './pages.ts';
import { normalizeName, parseFilename } from './project-name.ts';
import { type FileRecord, isWheel } from './project-page.ts';
import type { Project } from './projects.ts';
import { compareVersions, isPrerelease, normalizeVersion, parseVersion } from './python/pep440.ts';
import { filePath } from './refs.ts';
import { metadataField, metadataFields } from './wheel-metadata.ts';

/**
 * `/pypi/<name>/json` and `/pypi/<name>/<version>/json` (PyPI's JSON API): not a standard, and some clients ask for it.
 * Made from the project's page and the METADATA of one wheel; its URLs are those of the page.
 */
export function jsonApi(rooms: PageRooms): RequestHandler {
  return async (req, res) => {
    const { project: asked, version } = req.params as { project: string; version?: string };
    const name = normalizeName(asked);
    const base = baseUrl(req, rooms.context.publicUrl);
    const key = `api ${name} ${version ?? ''} ${base}`;
    const page =
      rooms.pages.trusted(key, rooms.context.catalog.generation()) ?? (await render(rooms, key, name, version, base));
    await sendPage(req, res, page, 'application/json', rooms.context.config.pageSeconds);
  };
}

async function render(
  { context, projects, pages }: PageRooms,
  key: string,
  name: string,
  version: string | undefined,
  base: string,
): Promise<RenderedPage> {
  const project = await projects.find(name);
  const generation = context.catalog.generation();
  const known = pages.known(key, project.stamp, generation);
  if (known) return known;
  const releases = releasesOf(project);
  const chosen = version === undefined ? latestOf(releases) : normalizeVersion(version);
  const files = chosen === undefined ? undefined : releases.get(chosen);
  if (chosen === undefined || !files) {
    const what = version === undefined ? 'files' : `version "${version.slice(0, 100)}"`;
    throw new MirrorError('not-found', 'project', `the project "${project.page.name}" has no ${what} here`);
  }
  const { metadata, whole } = await metadataOf(context, project, files);
  const shown = (some: readonly FileRecord[]) =>
    some.map((file) => fileJson(file, `${base}/${filePath(project.origin, project.page.name, file)}`));
  const body = {
    info: infoOf(project, chosen, files, metadata, base),
    last_serial: project.page.lastSerial ?? 0,
    ...(version === undefined
      ? { releases: Object.fromEntries([...releases].map(([name, some]) => [name, shown(some)])) }
      : {}),
    urls: shown(files),
    vulnerabilities: [],
  };
  const page = new RenderedPage(JSON.stringify(body), project.page.lastSerial);
  // what could not be asked for now may be there later
  return whole ? pages.current(key, project.stamp, generation, async () => page) : page;
}

function releasesOf({ page }: Project): Map<string, FileRecord[]> {
  const releases = new Map<string, FileRecord[]>();
  for (const file of page.files) {
    const version = normalizeVersion(parseFilename(file.filename, page.name)!.version);
    const known = releases.get(version);
    if (known) known.push(file);
    else releases.set(version, [file]);
  }
  return releases;
}

/** The newest that is neither yanked nor a pre-release, else the newest that is not yanked, else the newest of all. */
function latestOf(releases: Map<string, FileRecord[]>): string | undefined {
  const all = [...releases.keys()]
    .map((text) => ({ text, version: parseVersion(text)! }))
    .filter(({ version }) => version !== undefined)
    .sort((one, other) => compareVersions(one.version, other.version));
  const offered = all.filter(({ text }) => releases.get(text)!.some((file) => file.yanked === false));
  const stable = offered.filter(({ version }) => !isPrerelease(version));
  return (stable.at(-1) ?? offered.at(-1) ?? all.at(-1))?.text ?? [...releases.keys()].at(-1);
}

/** METADATA of one of the wheels; `whole` unless there is one that could not be had. */
async function metadataOf(
  context: Context<PypiConfig>,
  { page, origin }: Project,
  files: readonly FileRecord[],
): Promise<{ metadata: string; whole: boolean }> {
  const wheel = files.find((file) => isWheel(file.filename));
  if (!wheel) return { metadata: '', whole: true };
  try {
    return { metadata: await metadataText(context, origin, page.name, wheel), whole: true };
  } catch (error) {
    context.log.warn({ event: 'json-api', file: wheel.filename, reason: (error as Error).message }, 'no METADATA');
    return { metadata: '', whole: false };
  }
}

function infoOf(
  project: Project,
  version: string,
  files: readonly FileRecord[],
  metadata: string,
  base: string,
): object {
  const one = (field: string) => metadataField(metadata, field) ?? null;
  const urls = metadataFields(metadata, 'Project-URL').map((line) => line.split(/,\s*/, 2) as [string, string]);
  return {
    name: one('Name') ?? project.page.name,
    version,
    summary: one('Summary'),
    author: one('Author'),
    author_email: one('Author-email'),
    license: one('License'),
    license_expression: one('License-Expression'),
    home_page: one('Home-page'),
    keywords: one('Keywords'),
    classifiers: metadataFields(metadata, 'Classifier'),
    requires_dist: metadata === '' ? null : metadataFields(metadata, 'Requires-Dist'),
    requires_python: one('Requires-Python') ?? files[0]?.['requires-python'] ?? null,
    project_urls: urls.length > 0 ? Object.fromEntries(urls) : null,
    provides_extra: metadataFields(metadata, 'Provides-Extra'),
    project_url: `${base}/simple/${project.page.name}/`,
    release_url: `${base}/pypi/${project.page.name}/${version}/json`,
    yanked: files.length > 0 && files.every((file) => file.yanked !== false),
    yanked_reason: files.find((file) => typeof file.yanked === 'string')?.yanked ?? null,
  };
}

function fileJson(file: FileRecord, url: string): object {
  const { filename, hashes, size } = file;
  return {
    filename,
    url,
    digests: hashes,
    md5_digest: hashes.md5 ?? null,
    size: size ?? null,
    packagetype: isWheel(filename) ? 'bdist_wheel' : 'sdist',
    python_version: isWheel(filename) ? filename.split('-').at(-3) : 'source',
    requires_python: file['requires-python'] ?? null,
    upload_time: file['upload-time']?.replace(/(\.\d+)?Z$/, '') ?? null,
    upload_time_iso_8601: file['upload-time'] ?? null,
    has_sig: false,
    yanked: file.yanked !== false,
    yanked_reason: typeof file.yanked === 'string' ? file.yanked : null,
    'core-metadata': file['core-metadata'],
  };
}

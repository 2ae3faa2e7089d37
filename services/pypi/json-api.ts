import type { RequestHandler } from 'express';
import { baseUrl } from '../../shared/http/base-url.ts';
import { sendBytes } from '../../shared/http/send.ts';
import { digestOf } from '../../shared/model/digest.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { metadataText } from './metadata.ts';
import { normalizeName, parseFilename } from './project-name.ts';
import { type FileRecord, isWheel } from './project-page.ts';
import type { Project, Projects } from './projects.ts';
import { compareVersions, isPrerelease, normalizeVersion, parseVersion } from './python/pep440.ts';
import { filePath } from './refs.ts';
import { offeredFiles } from './render.ts';
import { metadataField, metadataFields } from './wheel-metadata.ts';

/**
 * `/pypi/<name>/json` and `/pypi/<name>/<version>/json` (PyPI's documentation has it): not a standard, and some
 * clients ask for it. Made from the project's page and the METADATA of one wheel; its URLs are those of the page.
 */
export function jsonApi(context: Context<PypiConfig>, projects: Projects): RequestHandler {
  return async (req, res) => {
    const { project: asked, version } = req.params as { project: string; version?: string };
    const project = await projects.find(normalizeName(asked));
    const releases = releasesOf(project);
    const chosen = version === undefined ? latestOf([...releases.keys()]) : normalizeVersion(version);
    if (chosen === undefined || !releases.has(chosen)) {
      throw new MirrorError(
        'not-found',
        'project',
        `the project "${project.page.name}" has no version "${version ?? ''}" here`,
      );
    }
    const base = baseUrl(req, context.publicUrl);
    const shown = (files: readonly FileRecord[]) =>
      files.map((file) => fileJson(file, `${base}/${filePath(project.origin, project.page.name, file)}`));
    const urls = releases.get(chosen)!;
    const body = {
      info: await infoOf(context, project, chosen, urls, base),
      last_serial: project.page.lastSerial ?? 0,
      ...(version === undefined
        ? { releases: Object.fromEntries([...releases].map(([name, files]) => [name, shown(files)])) }
        : {}),
      urls: shown(urls),
      vulnerabilities: [],
    };
    const bytes = Buffer.from(JSON.stringify(body));
    const facts = { mediaType: 'application/json', etag: `"${digestOf(bytes).slice(7, 39)}"`, headers: {} };
    await sendBytes(req, res, bytes, facts, { cacheControl: `public, max-age=${context.config.pageSeconds}` });
  };
}

function releasesOf(project: Project): Map<string, FileRecord[]> {
  const releases = new Map<string, FileRecord[]>();
  for (const file of offeredFiles(project.page)) {
    const version = normalizeVersion(parseFilename(file.filename)!.version);
    releases.set(version, [...(releases.get(version) ?? []), file]);
  }
  return releases;
}

/** The newest that is no pre-release, or the newest of all. */
function latestOf(versions: readonly string[]): string | undefined {
  const parsed = versions
    .map((text) => ({ text, version: parseVersion(text) }))
    .filter(({ version }) => version !== undefined);
  const stable = parsed.filter(({ version }) => !isPrerelease(version!));
  const sorted = (stable.length > 0 ? stable : parsed).sort((one, other) =>
    compareVersions(one.version!, other.version!),
  );
  return sorted.at(-1)?.text ?? versions.at(-1);
}

async function infoOf(
  context: Context<PypiConfig>,
  project: Project,
  version: string,
  files: readonly FileRecord[],
  base: string,
): Promise<object> {
  const wheel = files.find((file) => isWheel(file.filename));
  const metadata = wheel ? await metadataText(context, project.origin, project.page.name, wheel).catch(() => '') : '';
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

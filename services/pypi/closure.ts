import { MirrorError } from '../../shared/model/errors.ts';
import type { BundleItem, Bundling, ClosureEnvironment, Context, ManifestItem } from '../../shared/service/service.ts';
import { bestWheel, filesOf, sdistOf } from './choose.ts';
import type { PypiConfig } from './config.ts';
import { type PythonItem, pythonItemSchema, targetsOf } from './items.ts';
import { readRequirements } from './lock-requirements.ts';
import { type Pin, readLock, readRequirementFiles, type Wishes } from './locks.ts';
import { metadataResource } from './metadata.ts';
import type { Origins } from './origins.ts';
import { type FileRecord, isWheel } from './project-page.ts';
import { type Project, Projects } from './projects.ts';
import { prove } from './prove.ts';
import type { Target } from './python/target.ts';
import { fileRef, metadataRef, pageRef, provenanceRef } from './refs.ts';
import { resolveRequirements } from './resolve.ts';
import { buildRequirements } from './sdist.ts';
import { findUv } from './uv-binary.ts';

/** A file that some targets need, and why. */
interface Chosen {
  project: Project;
  file: FileRecord;
  version: string;
  why: Set<string>;
  targets: Set<string>;
}

/** How `python` items come to be files, and how a bundle of them is proven. */
export function bundling(originsFor: (config: PypiConfig) => Origins): Bundling<PypiConfig> {
  return {
    items: { python: pythonItemSchema },
    closure: (context, item, environment) =>
      new Closure(context, originsFor(context.config), item, environment).items(),
    prove: (context, item, environment) =>
      prove(context, new Projects(context, originsFor(context.config)), item, environment),
  };
}

/** The requirements of an item, as they stand in it and in the files it names. */
export async function wishesOf(item: PythonItem, baseDir: string): Promise<Wishes> {
  const parts: Wishes[] = [];
  if (item.lockfile) parts.push(await readLock(item.lockfile, baseDir, item));
  if (item.requirements) parts.push(await readRequirementFiles(item.requirements, baseDir, item.lock));
  if (item.packages)
    parts.push(
      readRequirements(
        item.packages.map((text) => ({ text, why: 'manifest' })),
        item.lock,
      ),
    );
  return { pins: (target) => parts.flatMap((part) => part.pins(target)), loose: parts.flatMap((part) => part.loose) };
}

class Closure {
  readonly #context: Context<PypiConfig>;
  readonly #origins: Origins;
  readonly #projects: Projects;
  readonly #item: PythonItem;
  readonly #targets: Target[];
  readonly #environment: ClosureEnvironment;
  readonly #chosen = new Map<string, Chosen>();
  readonly #refused: string[] = [];

  constructor(context: Context<PypiConfig>, origins: Origins, item: ManifestItem, environment: ClosureEnvironment) {
    this.#context = context;
    this.#origins = origins;
    this.#projects = new Projects(context, origins);
    this.#item = (item.value as { python: PythonItem }).python;
    this.#targets = targetsOf(this.#item, item.defaults);
    this.#environment = environment;
  }

  /** One item per file, in the order of their names. Throws `conflict`, naming everything that no file can be had for. */
  async *items(): AsyncGenerator<BundleItem> {
    const wishes = await wishesOf(this.#item, this.#environment.baseDir);
    for (const target of this.#targets) {
      const pins = [...wishes.pins(target), ...(await this.#resolve(wishes.loose, target))];
      this.#environment.note(`${target.name}: ${pins.length} distributions`);
      for (const pin of pins) await this.#choose(pin, target);
    }
    if (this.#refused.length > 0) {
      throw new MirrorError(
        'conflict',
        'project',
        `some distributions cannot be had:\n  ${this.#refused.join('\n  ')}`,
      );
    }
    for (const key of [...this.#chosen.keys()].sort()) yield await this.#toItem(this.#chosen.get(key)!);
  }

  async #resolve(loose: Wishes['loose'], target: Target): Promise<Pin[]> {
    if (loose.length === 0) return [];
    const uv = await findUv(this.#context, this.#projects, this.#environment.workDir);
    if (!uv) {
      throw new MirrorError(
        'unavailable',
        'project',
        'loose requirements need uv: put it on the PATH, set pypi.uv, or give a lock instead',
      );
    }
    const { url, workDir, signal } = this.#environment;
    const why = [...new Set(loose.map((line) => line.why))].join(', ');
    const sdists = this.#item.sdists === 'allow';
    return resolveRequirements(
      loose.map(({ text }) => text),
      why,
      { uv, index: `${url}/simple/`, target, sdists, workDir, signal },
    );
  }

  async #choose(pin: Pin, target: Target): Promise<void> {
    const project = await this.#projects.find(pin.project);
    const { sha256 } = pin;
    const allowed = sha256
      ? project.page.files.filter((file) => file.hashes.sha256 && sha256.has(file.hashes.sha256))
      : project.page.files;
    const files = filesOf(allowed, pin.version);
    const wheel = bestWheel(files, target);
    if (wheel) return this.#add(project, wheel, pin, target);
    const sdist = sdistOf(files);
    if (!sdist) {
      const known = filesOf(project.page.files, pin.version).length > 0;
      const why =
        known && sha256 ? 'no file with a hash of the lock' : known ? 'no wheel' : 'the index has no such version';
      this.#refused.push(`${pin.project} ${pin.version} for ${target.name}: ${why}`);
    } else if (this.#item.sdists === 'deny') {
      this.#refused.push(
        `${pin.project} ${pin.version} for ${target.name}: no wheel, only ${sdist.filename} (set "sdists: allow" to bring it with what it needs to be built)`,
      );
    } else if (!this.#chosen.get(sdist.filename)?.targets.has(target.id)) {
      this.#add(project, sdist, pin, target);
      if (this.#item.buildRequires) await this.#bringBuildRequirements(project, sdist, target);
    }
  }

  #add(project: Project, file: FileRecord, pin: Pin, target: Target): void {
    const chosen = this.#chosen.get(file.filename) ?? {
      project,
      file,
      version: pin.version,
      why: new Set(),
      targets: new Set(),
    };
    chosen.why.add(pin.why);
    chosen.targets.add(target.id);
    this.#chosen.set(file.filename, chosen);
  }

  /** What builds an sdist is resolved by itself: it need not agree with what is installed. */
  async #bringBuildRequirements(project: Project, sdist: FileRecord, target: Target): Promise<void> {
    const { entry } = await this.#context.mirror.hold(fileRef(project.origin, project.page.name, sdist));
    const requirements = await buildRequirements(sdist.filename, await this.#context.blobs.open(entry.digest));
    const why = `to build ${sdist.filename}`;
    for (const pin of await this.#resolve(
      requirements.map((text) => ({ text, why })),
      target,
    ))
      await this.#choose(pin, target);
  }

  async #toItem({ project, file, version, why, targets }: Chosen): Promise<BundleItem> {
    const { name } = project.page;
    const { origin } = project;
    const owner = await this.#origins.named(origin);
    const refs = [fileRef(origin, name, file)];
    const metadata = isWheel(file.filename) ? await this.#metadata(project, file) : undefined;
    if (metadata) refs.push(metadata.ref);
    if (owner) refs.push(pageRef(owner, name, this.#context.config));
    const { provenance } = file;
    return {
      id: `pypi:${name}==${version}#${file.filename}`,
      type: 'pypi-file',
      refs,
      optional: owner && provenance ? [provenanceRef(origin, name, { ...file, provenance })] : [],
      details: {
        filename: file.filename,
        sha256: file.hashes.sha256,
        size: file.size,
        requiresPython: file['requires-python'],
        metadataSha256: metadata?.sha256,
        uploadTime: file['upload-time'],
        yanked: file.yanked || undefined,
        why: [...why].sort(),
        for: [...targets].sort(),
      },
    };
  }

  /** Sees to it that the METADATA is held, whoever had it. */
  async #metadata(project: Project, file: FileRecord) {
    const { facts } = await metadataResource(this.#context, project.origin, project.page.name, file);
    const ref = { ...metadataRef(project.origin, project.page.name, file), promised: undefined };
    return { ref, sha256: (facts as { digest?: string }).digest?.slice('sha256:'.length) };
  }
}

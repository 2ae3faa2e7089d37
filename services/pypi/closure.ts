import { isKind, MirrorError } from '../../shared/model/errors.ts';
import type { BundleItem, Bundling, ClosureEnvironment, Context, ManifestItem } from '../../shared/service/service.ts';
import type { PypiConfig } from './config.ts';
import { type PythonItem, pythonItemSchema, targetsOf, wishesOf } from './items.ts';
import { pinnedVersion } from './lock-requirements.ts';
import { metadataResource } from './metadata.ts';
import type { Origins } from './origins.ts';
import { isWheel } from './project-page.ts';
import { Projects } from './projects.ts';
import { prove } from './prove.ts';
import { applies, parseRequirement } from './python/requirement.ts';
import type { Target } from './python/target.ts';
import { fileRef, metadataRef, pageRef, provenanceRef } from './refs.ts';
import { resolveRequirements } from './resolve.ts';
import { readSdist } from './sdist.ts';
import { type Chosen, PinnedFiles, Selection } from './selection.ts';
import { findUv, type Uv } from './uv-binary.ts';
import type { Line, Pin, Wishes } from './wishes.ts';

/** Files whose METADATA is seen to side by side. */
const AT_ONCE = 8;
const TOOLS = ['pip', 'setuptools', 'wheel'];

/** How `python` items come to be files, and how a bundle of them is proven. */
export function bundling(originsFor: (config: PypiConfig) => Origins): Bundling<PypiConfig> {
  return {
    items: { python: pythonItemSchema },
    closure: (context, item, environment) =>
      new Closure(context, originsFor(context.config), item, environment).items(),
    prove: (context, item, environment) => prove(context, originsFor(context.config), item, environment),
  };
}

class Closure {
  readonly #context: Context<PypiConfig>;
  readonly #origins: Origins;
  readonly #projects: Projects;
  readonly #item: PythonItem;
  readonly #targets: Target[];
  readonly #environment: ClosureEnvironment;
  readonly #selection: Selection;
  #uv: Promise<Uv> | undefined;

  constructor(context: Context<PypiConfig>, origins: Origins, item: ManifestItem, environment: ClosureEnvironment) {
    this.#context = context;
    this.#origins = origins;
    this.#projects = new Projects(context, origins);
    this.#item = (item.value as { python: PythonItem }).python;
    this.#targets = targetsOf(this.#item, item.defaults);
    this.#environment = environment;
    const sources = new PinnedFiles(this.#projects, origins, this.#item.index);
    this.#selection = new Selection(sources, { sdists: this.#item.sdists === 'allow' });
  }

  /** One item per file, in the order of their names. Throws `conflict`, naming everything that cannot be had at once. */
  async *items(): AsyncGenerator<BundleItem> {
    await this.#checkIndex();
    const wishes = await wishesOf(this.#item, this.#environment.baseDir);
    for (const note of wishes.notes) this.#environment.note(note);
    for (const target of this.#targets) await this.#choose(wishes, target);
    const refused = [...this.#selection.refused];
    if (refused.length > 0)
      throw new MirrorError('conflict', 'project', `some distributions cannot be had:\n  ${refused.join('\n  ')}`);
    yield* this.#toItems(this.#selection.files());
  }

  async #checkIndex(): Promise<void> {
    const { index } = this.#item;
    if (index === undefined || (await this.#origins.named(index))) return;
    const known = (await this.#origins.list()).map(({ name }) => name).join(', ');
    throw new MirrorError('bad-request', 'manifest', `index: there is no origin "${index}"; there is ${known}`);
  }

  async #choose(wishes: Wishes, target: Target): Promise<void> {
    const pins = wishes.pins(target);
    const resolved = await this.#resolve(wishes.loose, target, { sdists: this.#item.sdists === 'allow', wishes });
    this.#environment.note(`${target.name}: ${pins.length + resolved.length} distributions`);
    for (const pin of [...pins, ...resolved]) await this.#take(pin, target);
    if (!this.#item.tools) return;
    for (const tool of TOOLS) await this.#selection.takeNewest(tool, target, 'tools');
  }

  async #take(pin: Pin, target: Target): Promise<void> {
    const sdist = await this.#selection.take(pin, target);
    if (sdist && this.#item.buildRequires) await this.#bringBuildRequirements(sdist, target);
  }

  /** What builds an sdist is resolved by itself: it need not agree with what is installed. Wheels are preferred. */
  async #bringBuildRequirements({ project, file }: Chosen, target: Target): Promise<void> {
    const { entry } = await this.#context.mirror.hold(fileRef(project.origin, project.page.name, file));
    const open = (range?: { start: number; end: number }) => this.#context.blobs.open(entry.digest, range);
    const { buildRequires } = await readSdist({ filename: file.filename, size: entry.size, open });
    const why = `to build ${file.filename}`;
    const lines = buildRequires.map((text) => ({ text, why }));
    const refused = new Set<string>();
    const pins = await this.#resolve(lines, target, { sdists: false, refused });
    const found = refused.size > 0 ? await this.#resolve(lines, target, { sdists: true }) : pins;
    for (const pin of found) await this.#take({ ...pin, why }, target);
  }

  /** Pins for requirements. What has no solution is put on the list of what is refused, and nothing comes of it. */
  async #resolve(
    lines: readonly Line[],
    target: Target,
    options: { sdists: boolean; wishes?: Wishes; refused?: Set<string> },
  ): Promise<Pin[]> {
    const wanted = lines.filter((line) => this.#isWanted(line, target));
    if (wanted.length === 0) return [];
    this.#uv ??= findUv(this.#context, this.#projects, this.#environment.workDir);
    const uv = await this.#uv;
    if (uv.program === undefined) return this.#withoutResolver(wanted, uv.reason);
    const { workDir, signal } = this.#environment;
    const { program } = uv;
    const resolve = (secret?: string) =>
      resolveRequirements(wanted, {
        uv: program,
        ...this.#indexes(secret),
        target,
        sdists: options.sdists,
        constraints: options.wishes?.constraints,
        prereleases: options.wishes?.prereleases,
        workDir,
        signal,
      });
    try {
      return await this.#context.access.lendRead('pypi', resolve);
    } catch (error) {
      if (!isKind(error, 'conflict', 'unsupported')) throw error;
      (options.refused ?? this.#selection.refused).add(error.message);
      return [];
    }
  }

  /** Our own index, as a client reaches it: with a token where nobody may read without. */
  #indexes(secret: string | undefined): { index: string; firstIndex: string | undefined } {
    const base = new URL(this.#environment.url);
    if (secret) Object.assign(base, { username: '__token__', password: secret });
    const root = base.href.replace(/\/$/, '');
    const { index } = this.#item;
    return { index: `${root}/simple/`, firstIndex: index && `${root}/${index}/simple/` };
  }

  #isWanted({ text, why }: Line, target: Target): boolean {
    const requirement = parseRequirement(text);
    if (requirement && !requirement.url) return applies(requirement, target.environment);
    this.#selection.refused.add(`${why} for ${target.name}: "${text.slice(0, 200)}" cannot be had from an index`);
    return false;
  }

  /** Requirements that are all pinned can be taken at their word; whether they are complete, the proof tells. */
  #withoutResolver(lines: readonly Line[], reason: string): Pin[] {
    const pins = lines.map(({ text, why }) => {
      const requirement = parseRequirement(text)!;
      return { project: requirement.name, version: pinnedVersion(requirement), why };
    });
    if (pins.every((pin): pin is Pin => pin.version !== undefined)) return pins;
    throw new MirrorError(
      'unavailable',
      'project',
      `requirements that are not pinned need uv, the resolver: ${reason}. Put uv on the PATH, set pypi.uv, or give an exact lock`,
    );
  }

  async *#toItems(files: readonly Chosen[]): AsyncGenerator<BundleItem> {
    const ids = new Set<string>();
    for (let index = 0; index < files.length; index += AT_ONCE) {
      this.#environment.signal.throwIfAborted();
      const items = await Promise.all(files.slice(index, index + AT_ONCE).map((chosen) => this.#toItem(chosen)));
      for (const [offset, item] of items.entries()) {
        // two indexes may each have their own file of one name
        const id = ids.has(item.id) ? `${item.id}@${files[index + offset]!.project.origin}` : item.id;
        ids.add(id);
        yield { ...item, id };
      }
    }
  }

  async #toItem({ project, file, version, why, targets }: Chosen): Promise<BundleItem> {
    const { name } = project.page;
    const { origin } = project;
    const owner = await this.#origins.named(origin);
    const refs = [fileRef(origin, name, file)];
    const metadata = isWheel(file.filename) ? await this.#metadata({ project, file }) : undefined;
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
  async #metadata({ project, file }: Pick<Chosen, 'project' | 'file'>) {
    const { facts } = await metadataResource(this.#context, project.origin, project.page.name, file);
    const ref = { ...metadataRef(project.origin, project.page.name, file), promised: undefined };
    return { ref, sha256: (facts as { digest?: string }).digest?.slice('sha256:'.length) };
  }
}

import { type Request, type Response, Router } from 'express';
import { send, sendBytes } from '../../shared/http/send.ts';
import { digestOf } from '../../shared/model/digest.ts';
import { MirrorError } from '../../shared/model/errors.ts';
import type { Context } from '../../shared/service/service.ts';
import { clientBase, sendJson } from './answers.ts';
import type { HuggingfaceConfig } from './config.ts';
import { chooseGguf, chooseProjector, ggufFiles, quantOf } from './gguf-choice.ts';
import { factsOfFile } from './refs.ts';
import { checkRepoId } from './repo.ts';
import { askerOf } from './resolve.ts';
import type { Snapshot, Snapshots } from './snapshots.ts';
import type { Tree, TreeFile } from './tree.ts';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const CONFIG = 'application/vnd.docker.container.image.v1+json';
/** Small files of a repo that Ollama takes as layers, by their name. */
const PARTS = { template: 'template', system: 'system', params: 'params', LICENSE: 'license' } as const;
const MOST_PART = 1 << 20;

interface Layer {
  mediaType: string;
  digest: string;
  size: number;
}

/**
 * `/v2/{org}/{repo}/manifests/{tag}` and blobs: how Ollama, ramalama and older llama.cpp ask for GGUF files
 * (https://huggingface.co/docs/hub/ollama). Everything is worked out from the commit's tree, so nothing is stored for it.
 */
export class GgufManifests {
  readonly #context: Context<HuggingfaceConfig>;
  readonly #snapshots: Snapshots;

  constructor(context: Context<HuggingfaceConfig>, snapshots: Snapshots) {
    this.#context = context;
    this.#snapshots = snapshots;
  }

  routes(): Router {
    const router = Router({ caseSensitive: true });
    router.get(['/v2', '/v2/'], (req, res) => sendJson(req, res, {}));
    router.get('/v2/:org/:name/manifests/:tag', (req, res) => this.#manifest(req, res));
    router.get('/v2/:org/:name/blobs/:digest', (req, res) => this.#blob(req, res));
    return router;
  }

  async #manifest(req: Request, res: Response): Promise<void> {
    const { tree, snapshot } = await this.#look(req);
    const tag = String(req.params.tag);
    const file = chooseGguf(tree, tag);
    if (!file) {
      const known = ggufFiles(tree).map(({ path }) => path);
      const there = known.length > 0 ? `there is ${known.slice(0, 20).join(', ')}` : 'it has no GGUF files';
      throw new MirrorError(
        'not-found',
        'manifest',
        `no GGUF file of ${snapshot.repo.id} is called "${tag}"; ${there}`,
      );
    }
    const projector = chooseProjector(tree);
    if (/llama-?cpp|ramalama/i.test(req.headers['user-agent'] ?? ''))
      return sendJson(req, res, { ggufFile: named(file), ...(projector ? { mmprojFile: named(projector) } : {}) });
    const manifest = Buffer.from(JSON.stringify(await this.#render(snapshot, tree, file, projector)));
    const digest = digestOf(manifest);
    const facts = { mediaType: MANIFEST, etag: `"${digest}"`, headers: {} };
    return sendBytes(req, res, manifest, facts, { headers: { 'docker-content-digest': digest } });
  }

  async #render(snapshot: Snapshot, tree: Tree, file: TreeFile, projector: TreeFile | undefined): Promise<object> {
    const layers = await this.#layers(snapshot, tree, file, projector);
    const config = configOf(file, layers);
    return {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: CONFIG, digest: digestOf(config), size: config.length },
      layers,
    };
  }

  async #layers(snapshot: Snapshot, tree: Tree, file: TreeFile, projector: TreeFile | undefined): Promise<Layer[]> {
    const layers = [layerOf('model', file)];
    if (projector) layers.push(layerOf('projector', projector));
    for (const [path, kind] of Object.entries(PARTS)) {
      const bytes = await this.#part(snapshot, tree, path);
      if (bytes)
        layers.push({ mediaType: `application/vnd.ollama.image.${kind}`, digest: digestOf(bytes), size: bytes.length });
    }
    return layers;
  }

  async #part(snapshot: Snapshot, tree: Tree, path: string): Promise<Buffer | undefined> {
    const file = tree.files.get(path);
    if (!file || file.lfs || file.size === 0 || file.size > MOST_PART) return undefined;
    return (await this.#context.mirror.read(this.#snapshots.fileRef(snapshot, file), { maxBytes: MOST_PART })).bytes;
  }

  async #blob(req: Request, res: Response): Promise<void> {
    const { tree, snapshot } = await this.#look(req);
    const digest = String(req.params.digest);
    // "http: no Location header in response": Ollama takes a 200 only with the address to read on from
    const headers = {
      location: `${clientBase(req, this.#context.publicUrl)}${req.path}`,
      'docker-content-digest': digest,
    };
    const file = ggufFiles(tree).find(({ lfs }) => lfs && `sha256:${lfs.oid}` === digest);
    if (file) {
      const resource = await this.#context.mirror.open(this.#snapshots.fileRef(snapshot, file));
      return send(req, res, { ...resource, facts: factsOfFile(file) }, { headers });
    }
    const bytes = await this.#small(snapshot, tree, digest);
    if (!bytes) throw new MirrorError('not-found', 'blob', `${digest.slice(0, 80)} is no part of ${snapshot.repo.id}`);
    const facts = { mediaType: 'application/octet-stream', etag: `"${digest}"`, headers: {} };
    return sendBytes(req, res, bytes, facts, { headers });
  }

  /** Configs and small layers are worked out again: there are few of them. */
  async #small(snapshot: Snapshot, tree: Tree, digest: string): Promise<Buffer | undefined> {
    for (const path of Object.keys(PARTS)) {
      const bytes = await this.#part(snapshot, tree, path);
      if (bytes && digestOf(bytes) === digest) return bytes;
    }
    for (const file of ggufFiles(tree)) {
      const config = configOf(file, await this.#layers(snapshot, tree, file, chooseProjector(tree)));
      if (digestOf(config) === digest) return config;
    }
    return undefined;
  }

  async #look(req: Request): Promise<{ snapshot: Snapshot; tree: Tree }> {
    const { org, name } = req.params as { org: string; name: string };
    const id = checkRepoId(`${org}/${name}`);
    const snapshot = await this.#snapshots.at({ type: 'models', id }, 'main', askerOf(req));
    return { snapshot, tree: await this.#snapshots.tree(snapshot) };
  }
}

function named({ path, lfs, size, oid }: TreeFile): object {
  return { rfilename: path, size: lfs?.size ?? size, blobId: lfs ? `sha256:${lfs.oid}` : oid };
}

function layerOf(kind: string, { lfs }: TreeFile): Layer {
  return { mediaType: `application/vnd.ollama.image.${kind}`, digest: `sha256:${lfs!.oid}`, size: lfs!.size };
}

function configOf(file: TreeFile, layers: readonly Layer[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      model_format: 'gguf',
      model_family: '',
      model_families: null,
      model_type: '',
      file_type: quantOf(file.path) ?? 'unknown',
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    }),
  );
}

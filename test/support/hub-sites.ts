import { createCipheriv, createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AirGap, makeAirGap } from './air-gap.ts';
import { temporaryFolder } from './bundles.ts';
import { type Hub, type RepoWish, startHub } from './hub.ts';
import { type Ran, runCommand } from './python-clients.ts';
import { larder, type SpawnedLarder, spawnLarder } from './spawn-larder.ts';

/** Where a client stands, and the Larder in front of it. */
export interface HubPlace {
  /** What HF_ENDPOINT is set to there. */
  url: string;
  /** What the Larder has logged so far. */
  log(): string;
  /** Runs a client there. */
  run(command: string, args: readonly string[], options?: { cwd?: string; env?: NodeJS.ProcessEnv }): Promise<Ran>;
}

/** A hub, mirrors of it that hold nothing yet, and a site behind a gap that has a bundle. */
export interface HubSites {
  hub: Hub;
  /** A connected mirror over an empty store, with further settings. */
  cold(settings?: NodeJS.ProcessEnv): Promise<HubPlace>;
  /** The site that lives off the bundle, in a namespace without a network. */
  behindTheGap: HubPlace;
  /** Packets that tried to leave the gap. */
  escaped(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Plays a hub with these repos, packs them by `larder bundle create`, imports the bundle elsewhere and serves it there.
 * @param items of the manifest, one line each: `{ hf: "acme/tiny" }`
 * @param prepare does further things to the hub before anybody asks it
 */
export async function startHubSites(
  repos: readonly RepoWish[],
  items: readonly string[],
  prepare?: (hub: Hub) => void,
): Promise<HubSites> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const one of undo.splice(0).reverse()) await one();
  };
  try {
    return await startIn(repos, items, { undo, close, prepare });
  } catch (error) {
    await close();
    throw error;
  }
}

async function startIn(
  repos: readonly RepoWish[],
  items: readonly string[],
  { undo, close, prepare }: { undo: (() => Promise<unknown>)[]; close(): Promise<void>; prepare?(hub: Hub): void },
): Promise<HubSites> {
  const folder = await temporaryFolder();
  undo.push(folder.remove);
  const hub = await startHub();
  undo.push(hub.close);
  for (const repo of repos) hub.add(repo);
  prepare?.(hub);
  const env = { LARDER_HUGGINGFACE_ORIGIN: hub.url };
  await carryModels(folder.path, items, env, join(folder.path, 'site'));
  const gap: AirGap = await makeAirGap();
  undo.push(gap.close);
  // nobody answers at the hub's address in there: whatever asks it all the same is seen
  const site = await spawnLarder({
    store: join(folder.path, 'site'),
    env: { ...env, AIRGAPPED_MODE: 'true' },
    wrap: gap.inside,
  });
  undo.push(site.stop);
  let mirrors = 0;
  return {
    hub,
    async cold(settings) {
      mirrors += 1;
      const mirror: SpawnedLarder = await spawnLarder({
        store: join(folder.path, `mirror-${mirrors}`),
        env: { ...env, ...settings },
      });
      undo.push(mirror.stop);
      return { url: mirror.urls.huggingface!, log: mirror.log, run: runCommand };
    },
    behindTheGap: {
      url: site.urls.huggingface!,
      log: site.log,
      run: (command, args, options) => runCommand(...gap.inside(command, args), options),
    },
    escaped: gap.escaped,
    close,
  };
}

/** A bundle of these items, made in a store of its own in `folder`, imported into `store`. */
export async function carryModels(
  folder: string,
  items: readonly string[],
  env: NodeJS.ProcessEnv,
  store: string,
): Promise<void> {
  const manifest = join(folder, 'bundle.yaml');
  const bundle = join(folder, 'bundle');
  const lines = items.map((item) => `  - ${item}\n`).join('');
  await writeFile(manifest, `format: larder-manifest/1\nname: hub-clients\nitems:\n${lines}`);
  await mustRun(['bundle', 'create', manifest, bundle, '--store', join(folder, 'packer')], env);
  await mustRun(['bundle', 'import', bundle, '--store', store], env);
}

async function mustRun(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const ran = await larder(args, { env });
  if (ran.code !== 0) throw new Error(`larder ${args.join(' ')} ended with ${ran.code}:\n${ran.stdout}\n${ran.stderr}`);
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes that compress no better than weights do, the same in every run. */
export function bytesOf(size: number, seed: string): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** A model that loads: a tokenizer, a config, tensors; an empty file, one in folders, one over 10 MB. */
export function tinyModel(): RepoWish & { files: Record<string, Buffer> } {
  const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'hello', 'world'];
  const vocab = Object.fromEntries(words.map((word, index) => [word, index]));
  const text = (value: unknown) => Buffer.from(JSON.stringify(value, null, 2));
  return {
    id: 'acme/tiny',
    info: { pipeline_tag: 'feature-extraction', library_name: 'transformers' },
    tags: ['v1.0'],
    files: {
      'README.md': Buffer.from('---\nlicense: apache-2.0\n---\n# tiny\n'),
      'config.json': text({ model_type: 'bert', architectures: ['BertModel'], hidden_size: 16, vocab_size: 7 }),
      'tokenizer.json': text(tokenizerOf(vocab)),
      'tokenizer_config.json': text({ tokenizer_class: 'BertTokenizer', model_max_length: 32, do_lower_case: true }),
      'vocab.txt': Buffer.from(`${words.join('\n')}\n`),
      'model.safetensors': safetensors({ 'embeddings.weight': [7, 16], 'pooler.bias': [16] }),
      'empty.txt': Buffer.alloc(0),
      'sub/dir/f.txt': Buffer.from('in folders\n'),
      'big.bin': bytesOf((12 << 20) + 123, 'big'),
    },
  };
}

function tokenizerOf(vocab: Record<string, number>) {
  const special = (content: string) => ({
    id: vocab[content],
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'].map(special),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}

/** The format: eight bytes of the header's size, the header as JSON, the tensors. */
function safetensors(shapes: Record<string, number[]>): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const end = offset + 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([size, json, bytesOf(offset, 'tensors')]);
}

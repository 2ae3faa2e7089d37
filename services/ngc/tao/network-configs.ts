import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MirrorError } from '../../../shared/model/errors.ts';
import type { Json } from '../local-store.ts';

const ENDING = '.config.json';

/** What tao-core knows of its networks: its folder `handlers/network_configs`, read as it stands. */
export class NetworkConfigs {
  readonly #configs: ReadonlyMap<string, Json>;

  private constructor(configs: ReadonlyMap<string, Json>) {
    this.#configs = configs;
  }

  /** Throws `bad-request` for a folder that has none. */
  static async read(folder: string): Promise<NetworkConfigs> {
    const names = await readdir(folder).catch((cause) => {
      throw wrong(`${folder} cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
    });
    const configs = new Map<string, Json>();
    for (const name of names.filter((one) => one.endsWith(ENDING)).sort())
      configs.set(name.slice(0, -ENDING.length), await readConfig(join(folder, name), name));
    if (configs.size > 0) return new NetworkConfigs(configs);
    throw wrong(
      `${folder} has no *${ENDING}; it is to be tao-core's nvidia_tao_core/microservices/handlers/network_configs`,
    );
  }

  /** What an entry of ptm_metadatas.json has of it; undefined for a network that is not known. */
  fieldsOf(network: string): Json | undefined {
    const params = this.#params(network) ?? this.#params(this.#above(network));
    if (!params) return undefined;
    const type = params.dataset_type ?? this.#above(network);
    const formats = params.formats ?? this.#params(String(type))?.formats;
    return {
      dataset_type: type,
      ...(formats === undefined ? {} : { dataset_formats: formats }),
      accepted_dataset_intents: params.accepted_ds_intents ?? ['training', 'evaluation'],
      actions: params.actions,
    };
  }

  #params(network: string): Json | undefined {
    const params = this.#configs.get(network)?.api_params;
    return typeof params === 'object' && params !== null ? (params as Json) : undefined;
  }

  /** The network that hands actions on to this one: `object_detection` to `auto_label`. The network itself when none does. */
  #above(network: string): string {
    for (const [name, { actions_mapping: mapping }] of this.#configs) {
      if (typeof mapping !== 'object' || mapping === null) continue;
      if (Object.values(mapping).some((one: Json | null) => one?.network === network)) return name;
    }
    return network;
  }
}

async function readConfig(path: string, name: string): Promise<Json> {
  try {
    return JSON.parse((await readFile(path, 'utf8')).replace(/^\ufeff/, '')) as Json;
  } catch (cause) {
    throw wrong(`${name} is no JSON`, cause);
  }
}

const wrong = (message: string, cause?: unknown) => new MirrorError('bad-request', 'settings', message, { cause });

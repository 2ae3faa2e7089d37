import { parse } from 'yaml';
import type { RepoType } from './repo.ts';

/** What a repo's README says of it in its first lines, and what the hub makes of that. */
export interface Card {
  cardData?: Record<string, unknown>;
  tags: string[];
  pipeline_tag?: string;
  library_name?: string;
}

const FRONT = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---(\r?\n|$)/;
/** Fields that become tags of the form `field:value`. */
const SPOKEN = ['license', 'dataset', 'base_model'];

/** Reads the metadata of a README (https://huggingface.co/docs/hub/model-cards). What cannot be read is left out. */
export function readCard(readme: string, type: RepoType): Card {
  const data = frontMatter(readme);
  if (!data) return { tags: [] };
  const tags = new Set(textsOf(data.tags));
  for (const [name, value] of Object.entries(data)) {
    const field = name === 'datasets' ? 'dataset' : name;
    if (SPOKEN.includes(field)) for (const text of textsOf(value)) tags.add(`${field}:${text}`);
  }
  for (const language of textsOf(data.language)) tags.add(language);
  const text = (name: string) => (typeof data[name] === 'string' ? (data[name] as string) : undefined);
  const pipeline_tag = text('pipeline_tag');
  const library_name = text('library_name');
  for (const tag of [pipeline_tag, library_name]) if (tag && type === 'models') tags.add(tag);
  return { cardData: data, tags: [...tags], pipeline_tag, library_name };
}

function frontMatter(readme: string): Record<string, unknown> | undefined {
  try {
    const data = parse(FRONT.exec(readme)?.[1] ?? '', { maxAliasCount: 10 }) as unknown;
    return data !== null && typeof data === 'object' && !Array.isArray(data)
      ? (data as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function textsOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value : [value];
  return list.filter((text): text is string => typeof text === 'string' && text !== '');
}

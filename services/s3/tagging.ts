import { type Asked, sendEmpty, sendXml } from './asked.ts';
import { readDocument } from './delete-many.ts';
import { objectKey } from './keys.ts';
import { checkTags, TAGS, type TagPair, tagsIn } from './metadata.ts';
import { findObject } from './objects.ts';
import { malformed, type Parsed, readXml } from './read-xml.ts';
import type { Turns } from './turns.ts';
import { element, s3Document } from './xml.ts';

/** GET `?tagging` (API_GetObjectTagging.html). */
export async function getTags(asked: Asked): Promise<void> {
  const { headers } = await findObject(asked);
  const tags = tagsIn(headers).map(([name, value]) => element('Tag', [element('Key', name), element('Value', value)]));
  sendXml(asked, s3Document('Tagging', [element('TagSet', tags)]));
}

/** PUT `?tagging` (API_PutObjectTagging.html). */
export async function putTags(asked: Asked, turns: Turns): Promise<void> {
  const { TagSet: set } = readXml(await readDocument(asked), 'Tagging');
  const tags = ((set as Parsed | '' | undefined) || { Tag: [] }).Tag ?? [];
  if (set === undefined || !Array.isArray(tags)) throw malformed();
  const pairs = (tags as Parsed[]).map(({ Key: name, Value: value = '' }): TagPair => {
    if (typeof name !== 'string' || typeof value !== 'string') throw malformed();
    return [name, value];
  });
  await change(asked, turns, JSON.stringify(checkTags(pairs)));
  sendEmpty(asked, 200);
}

export async function deleteTags(asked: Asked, turns: Turns): Promise<void> {
  await change(asked, turns, undefined);
  sendEmpty(asked, 204);
}

async function change(asked: Asked, turns: Turns, tags: string | undefined): Promise<void> {
  const { context, bucket, key } = asked;
  await turns.run(objectKey(bucket, key), async () => {
    const entry = await findObject(asked);
    const { [TAGS]: _old, ...headers } = entry.headers;
    await context.catalog.put({ ...entry, headers: tags === undefined ? headers : { ...headers, [TAGS]: tags } });
  });
}

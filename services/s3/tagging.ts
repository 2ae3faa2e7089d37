import type { Turns } from '../../shared/mirror/turns.ts';
import type { Entry } from '../../shared/model/entry.ts';
import { type Asked, sendEmpty, sendXml } from './asked.ts';
import { noSuchKey } from './conditions.ts';
import { objectKey } from './keys.ts';
import { checkTags, TAGS, type TagPair, tagsIn } from './metadata.ts';
import { checkDocument, readDocument } from './read-document.ts';
import { findObject } from './read-object.ts';
import { malformed, type Parsed, readXml, tagPairs } from './read-xml.ts';
import { replaceName } from './writes.ts';
import { element, s3Document } from './xml.ts';

/** GET `?tagging` (API_GetObjectTagging.html). */
export async function getTags(asked: Asked): Promise<void> {
  const { headers } = await findObject(asked);
  sendTags(asked, tagsIn(headers));
}

export function sendTags(asked: Asked, pairs: readonly TagPair[]): void {
  const tags = pairs.map(([name, value]) => element('Tag', [element('Key', name), element('Value', value)]));
  sendXml(asked, s3Document('Tagging', [element('TagSet', tags)]));
}

/** PUT `?tagging` (API_PutObjectTagging.html). */
export async function putTags(asked: Asked, turns: Turns): Promise<void> {
  const pairs = await readTags(asked);
  await change(asked, turns, JSON.stringify(checkTags(pairs)));
  sendEmpty(asked, 200);
}

/** The tags of a document that came as a body. Throws `MalformedXML`. */
export async function readTags(asked: Asked): Promise<TagPair[]> {
  return tagsOf(readXml(await checkDocument(asked, await readDocument(asked)), 'Tagging'));
}

/** The same, held to what tags of an object may be. Throws `InvalidTag`. */
export const checkedTagsIn = (document: Parsed) => checkTags(tagsOf(document));

function tagsOf({ TagSet: set }: Parsed): TagPair[] {
  if (set === undefined) throw malformed();
  return tagPairs(set as Parsed | '');
}

export async function deleteTags(asked: Asked, turns: Turns): Promise<void> {
  await change(asked, turns, undefined);
  sendEmpty(asked, 204);
}

async function change(asked: Asked, turns: Turns, tags: string | undefined): Promise<void> {
  const { context, bucket, key } = asked;
  const name = objectKey(bucket, key);
  await findObject(asked);
  const tagged = (held: Entry | undefined): Entry => {
    if (!held) throw noSuchKey(key);
    const { [TAGS]: _old, ...headers } = held.headers;
    return { ...held, headers: tags === undefined ? headers : { ...headers, [TAGS]: tags } };
  };
  await turns.run(name, () => replaceName(context, name, tagged));
}

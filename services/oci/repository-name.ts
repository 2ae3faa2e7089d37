import { OciError } from './errors.ts';

/** "`<name>` MUST match the following regular expression" (distribution-spec, spec.md#pulling-manifests). */
const NAME = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
/** "`<reference>` as a tag MUST be at most 128 characters in length and MUST match". */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
/** "Many clients impose a limit of 255 characters on the length of the concatenation of the registry hostname … and `<name>`". */
const MOST = 255;

export const isRepositoryName = (text: string): boolean => text.length <= MOST && NAME.test(text);
export const isTag = (text: string): boolean => TAG.test(text);

/** Throws `NAME_INVALID`. */
export function checkRepositoryName(text: string): string {
  if (isRepositoryName(text)) return text;
  throw new OciError(
    'bad-request',
    'repository',
    `"${text.slice(0, 300)}" is no name of a repository: lower-case letters, digits and ., _, - between them, parts divided by /, at most ${MOST} characters`,
    { code: 'NAME_INVALID' },
  );
}

/** Throws `TAG_INVALID`. */
export function checkTag(text: string): string {
  if (isTag(text)) return text;
  throw new OciError(
    'bad-request',
    'tag',
    `"${text.slice(0, 200)}" is no tag: letters, digits, ., _ and -, not beginning with . or -, at most 128 characters`,
    { code: 'TAG_INVALID' },
  );
}

/** A pattern in which `*` stands for any characters, `?` for one and `[…]` for one of a set, over the whole text. */
export function patternOf(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`, 'i');
}

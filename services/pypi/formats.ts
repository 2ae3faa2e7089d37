import { names, negotiate } from '../../shared/http/accept.ts';
import { MirrorError } from '../../shared/model/errors.ts';

export type Format = 'json' | 'html';

const JSON_V1 = 'application/vnd.pypi.simple.v1+json';
const HTML_V1 = 'application/vnd.pypi.simple.v1+html';
const HTML = 'text/html';

/** Every type that can be asked for, the most expressive first: of equals the first wins. */
const TYPES: Record<string, { format: Format; contentType: string }> = {
  [JSON_V1]: { format: 'json', contentType: JSON_V1 },
  'application/vnd.pypi.simple.latest+json': { format: 'json', contentType: JSON_V1 },
  [HTML_V1]: { format: 'html', contentType: HTML_V1 },
  'application/vnd.pypi.simple.latest+html': { format: 'html', contentType: HTML_V1 },
  [HTML]: { format: 'html', contentType: `${HTML}; charset=utf-8` },
};
const OFFERS = Object.keys(TYPES);

/**
 * Which form of a page a client gets (PEP 691). JSON goes to those who name it; who takes anything gets HTML, since that
 * is what old clients that say nothing else can read. For `latest` the type names the real version.
 * @param format `?format=…`, which goes before `Accept`; its "+" arrives as a blank
 * Throws `not-acceptable`.
 */
export function chooseFormat(accept: string | undefined, format: unknown): { format: Format; contentType: string } {
  if (typeof format === 'string') {
    const chosen = TYPES[format.replaceAll(' ', '+')];
    if (chosen) return chosen;
    throw new MirrorError(
      'not-acceptable',
      'page',
      `there is no format "${format.slice(0, 100)}"; there are ${OFFERS.join(', ')}`,
    );
  }
  // an empty field wishes for nothing, like none
  const wished = accept?.trim() || undefined;
  const named = OFFERS.filter((offer) => names(wished, offer));
  const chosen = negotiate(wished, named.length > 0 ? named : [HTML, ...OFFERS]);
  if (chosen) return TYPES[chosen]!;
  throw new MirrorError(
    'not-acceptable',
    'page',
    `none of the asked types can be given; there are ${OFFERS.join(', ')}`,
  );
}

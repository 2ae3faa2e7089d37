/** Text that is XML already. */
export interface Xml {
  xml: string;
}

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** An element of text, or of further elements. */
export function element(name: string, content: string | number | boolean | Xml | readonly Xml[]): Xml {
  const inner = Array.isArray(content)
    ? content.map(({ xml }) => xml).join('')
    : typeof content === 'object'
      ? (content as Xml).xml
      : escapeXml(String(content));
  return { xml: `<${name}>${inner}</${name}>` };
}

export function xmlDocument({ xml }: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${xml}`;
}

/** A root with S3's namespace, which SDKs look for. */
export function s3Document(name: string, content: readonly Xml[]): string {
  return xmlDocument({ xml: `<${name} xmlns="${NAMESPACE}">${content.map(({ xml }) => xml).join('')}</${name}>` });
}

/** What XML 1.0 cannot say at all (most control characters) is said as a reference: that is what S3 does. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"\p{Cc}\u2028]/gu, (character) => {
    if (character === '&') return '&amp;';
    if (character === '<') return '&lt;';
    if (character === '>') return '&gt;';
    if (character === '"') return '&quot;';
    return `&#${character.codePointAt(0)};`;
  });
}

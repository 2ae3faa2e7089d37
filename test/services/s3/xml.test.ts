import { describe, expect, test } from 'vitest';
import { readXml } from '../../../services/s3/read-xml.ts';
import { element, s3Document } from '../../../services/s3/xml.ts';

const key = (text: string) => `<Delete><Object><Key>${text}</Key></Object></Delete>`;
const read = (text: string) => readXml(Buffer.from(text), 'Delete');

describe('documents of clients', () => {
  test('give keys as they are, blanks and references included, one or many', () => {
    expect(read('<Delete xmlns="x"><Object><Key> a&amp;b&#13;&#x41;&lt; </Key></Object></Delete>')).toEqual({
      Object: [{ Key: ' a&b\rA< ' }],
    });
    expect(
      read('<?xml version="1.0"?><Delete><Object><Key>1</Key></Object><Object><Key>02</Key></Object></Delete>'),
    ).toEqual({
      Object: [{ Key: '1' }, { Key: '02' }],
    });
    expect(read('<Delete/>')).toEqual({});
  });

  test.each([
    ['are no XML', 'hello'],
    ['are empty', ''],
    ['break off', '<Delete><Object>'],
    ['have another root', '<Other/>'],
    ['declare entities', '<!DOCTYPE x [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>'],
    ['ask for files', '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete>&a;</Delete>'],
    ['refer to what they do not declare', key('&a;')],
    ['refer to what is HTML’s', key('&copy;')],
    ['have an ampersand that is none', key('a&b')],
    ['refer to NUL', key('a&#0;b')],
    ['refer to half a character', key('a&#xD800;b')],
    ['refer to what is no character', key('a&#x110000;b')],
    ['hold NUL', key('a\0b')],
    ['have two keys in one object', '<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>'],
    ['have an element in a key', key('a<x/>b').replace('<x/>', '<x>1</x>')],
    ['have text between elements', '<Delete>x<Object/></Delete>'],
    ['have two roots', '<Delete/><Delete/>'],
    ['go on behind their end', '<Delete/>x'],
    ['close what is not open', '<Delete></Object></Delete>'],
    ['are 100 deep', `<Delete>${'<a>'.repeat(100)}${'</a>'.repeat(100)}</Delete>`],
    ['are 500,000 deep', `<Delete>${'<a>'.repeat(500_000)}${'</a>'.repeat(500_000)}</Delete>`],
    ['have 100,000 attributes', `<Delete ${'a="b" '.repeat(100_000)}/>`],
    ['have 10,001 of what may come several times', `<Delete>${'<Object/>'.repeat(10_001)}</Delete>`],
    ['are nothing but beginnings', '<'.repeat(4 << 20)],
    ['are nothing but references', `<Delete>${'&'.repeat(4 << 20)}`],
    ['have a quote without an end', `<Delete a="${'x'.repeat(4 << 20)}`],
  ])('are refused when they %s', (_what, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'MalformedXML' }));
  });

  test('are refused when they are no UTF-8: the object under another name would be deleted', () => {
    const bytes = Buffer.concat([Buffer.from('<Delete>'), Buffer.from([0xff]), Buffer.from('</Delete>')]);
    expect(() => readXml(bytes, 'Delete')).toThrow(expect.objectContaining({ code: 'MalformedXML' }));
  });

  test('are read whatever they call their elements, and however they write a key', () => {
    expect(read('<Delete><__proto__>a</__proto__><constructor>1</constructor></Delete>').Object).toBeUndefined();
    expect(read(key('a<!-- no --><![CDATA[<&amp;>]]>&amp;lt;\u0001\r\n'))).toEqual({
      Object: [{ Key: 'a<&amp;>&lt;\u0001\n' }],
    });
    expect(read(`\ufeff${key('b')}`)).toEqual({ Object: [{ Key: 'b' }] });
  });
});

test('documents of ours say every character that a key may have, and are read back as it was', () => {
  const key = 'a&b<c>"\'\t\r\n\u0085\u2028 ü😀';
  const text = s3Document('Delete', [element('Object', [element('Key', key), element('Size', 3)])]);
  expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<Delete xmlns="http:\/\/s3.amazonaws.com\/doc/);
  expect(text.slice(text.indexOf('<Delete'))).not.toMatch(/\p{Cc}/u);
  expect(read(text)).toEqual({ Object: [{ Key: key, Size: '3' }] });
  // these XML 1.0 cannot say: a reference is what S3 writes
  expect(element('Key', 'a\u0001b').xml).toBe('<Key>a&#1;b</Key>');
});

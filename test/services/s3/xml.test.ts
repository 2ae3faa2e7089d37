import { describe, expect, test } from 'vitest';
import { readXml } from '../../../services/s3/read-xml.ts';
import { element, s3Document } from '../../../services/s3/xml.ts';

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
  ])('are refused when they %s', (_what, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'MalformedXML' }));
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

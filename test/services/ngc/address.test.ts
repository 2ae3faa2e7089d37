import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../services/ngc/address.ts';
import { idOf } from '../../../services/ngc/artifact.ts';

/** `form kind id:version path` */
function told(path: string): string | undefined {
  const asked = parseAddress(path);
  if (!asked) return undefined;
  const of = `${asked.form} ${asked.artifact.kind} ${idOf(asked.artifact)}`;
  if (!('version' in asked)) return of;
  return `${of}:${asked.version}${asked.form === 'file' ? ` ${asked.path}` : ''}`;
}

const OCRNET = 'models nvidia/tao/ocrnet';

describe('addresses of the catalog', () => {
  test.each([
    // with a key
    ['/v2/org/nvidia/team/tao/models/ocrnet', `artifact ${OCRNET}`],
    ['/v2/org/nim/models/genmol', 'artifact models nim/genmol'],
    ['/v2/org/nvidia/team/no-team/models/genmol', 'artifact models nvidia/genmol'],
    ['/v2/org/nvidia/team/tao/models/ocrnet/versions', `versions ${OCRNET}`],
    ['/v2/org/nvidia/team/tao/models/ocrnet/versions/', `versions ${OCRNET}`],
    ['/v2/org/nvidia/team/tao/models/ocrnet/versions/v1', `version ${OCRNET}:v1`],
    ['/v2/org/nvidia/team/tao/models/ocrnet/versions/v1/files', `files ${OCRNET}:v1`],
    ['/v2/org/nvidia/team/tao/models/ocrnet/versions/v1/files/a/b.txt', `file ${OCRNET}:v1 a/b.txt`],
    ['/v2/org/nvidia/team/tao/models/ocrnet/versions/v1/zip', `zip ${OCRNET}:v1`],
    ['/v2/org/nvidia/team/tao/models/ocrnet/versions/v1/signature', `signature ${OCRNET}:v1`],
    ['/v2/org/nvidia/team/tao/models/ocrnet/v1/files', `urls ${OCRNET}:v1`],
    ['/v2/org/nvidia/resources/x', 'artifact resources nvidia/x'],
    // guests
    ['/v2/models/nvidia/tao/ocrnet', `artifact ${OCRNET}`],
    ['/v2/models/nvidia/genmol', 'artifact models nvidia/genmol'],
    ['/v2/models/nvidia/genmol/versions', 'versions models nvidia/genmol'],
    ['/v2/models/nvidia/tao/ocrnet/versions/', `versions ${OCRNET}`],
    ['/v2/models/nvidia/tao/ocrnet/versions/v1', `version ${OCRNET}:v1`],
    ['/v2/models/nvidia/genmol/versions/1.0/files/x.bin', 'file models nvidia/genmol:1.0 x.bin'],
    [
      '/v2/resources/nvidia/ngc-apps/ngc_cli/versions/3.1/files/cli.zip',
      'file resources nvidia/ngc-apps/ngc_cli:3.1 cli.zip',
    ],
    ['/v2/models/nvidia/tao/ocrnet/versions/v1/zip', `zip ${OCRNET}:v1`],
    ['/v2/models/nvidia/tao/ocrnet/v1/files', `urls ${OCRNET}:v1`],
    // guests, with the words
    ['/v2/models/org/nvidia/team/tao/ocrnet/v1/files', `urls ${OCRNET}:v1`],
    ['/v2/models/org/nvidia/genmol/1.0/files', 'urls models nvidia/genmol:1.0'],
    ['/v2/models/org/nvidia/team/tao/ocrnet/versions/v1/files/a', `file ${OCRNET}:v1 a`],
    ['/v2/models/org/nvidia/team/tao/ocrnet', `artifact ${OCRNET}`],
  ])('%s', (path, expected) => {
    expect(told(path)).toBe(expected);
  });

  test.each([
    ['doubled slashes', '//v2//models/nvidia//tao/ocrnet/versions/v1/files//a//b', `file ${OCRNET}:v1 a/b`],
    ['a slash at the end', '/v2/models/nvidia/tao/ocrnet/versions/v1/files/', `files ${OCRNET}:v1`],
    ['escaped slashes', '/v2/models/nvidia/tao/ocrnet/versions/v1/files/a%2Fb%2fc', `file ${OCRNET}:v1 a/b/c`],
    ['a plus', '/v2/models/nvidia/tao/ocrnet/versions/0.11.1+ba20/files/a+b', `file ${OCRNET}:0.11.1+ba20 a+b`],
    ['an escaped plus', '/v2/models/nvidia/tao/ocrnet/0.11.1%2Bba20/files', `urls ${OCRNET}:0.11.1+ba20`],
    ['a space', '/v2/models/nvidia/tao/ocrnet/versions/v%201/files/a%20b', `file ${OCRNET}:v 1 a b`],
    ['one decoding alone', '/v2/models/nvidia/tao/ocrnet/versions/v1/files/a%2525', `file ${OCRNET}:v1 a%25`],
    ['case', '/v2/models/NVIDIA/tao/OcrNet/versions/V1', 'version models NVIDIA/tao/OcrNet:V1'],
    ['words as names', '/v2/models/nvidia/tao/ocrnet/versions/v1/files/files/zip', `file ${OCRNET}:v1 files/zip`],
  ])('%s', (_what, path, expected) => {
    expect(told(path)).toBe(expected);
  });

  test.each([
    '/',
    '/v2',
    '/v2/ping',
    '/v2/models',
    '/v2/models/nvidia',
    '/v2/org/nvidia/teams',
    '/v2/org/nvidia/team/tao/repos/image',
    '/v2/search/resources/MODEL',
    '/v3/keys/get-caller-info',
    '/v2/org/nvidia/team/tao/models/ocrnet/versions/v1/other',
    '/v2/org/nvidia/team/tao/models/ocrnet/versions/v1/zip/x',
  ])('%s is none', (path) => {
    expect(told(path)).toBeUndefined();
  });

  test.each([
    ['/v2/models/nvidia/tao/ocrnet/versions/v1/files/../../x', /path in a version/],
    ['/v2/models/nvidia/tao/ocrnet/versions/v1/files/a%2F..%2Fb', /path in a version/],
    ['/v2/models/nvidia/tao/ocrnet/versions/v1/files/a%00b', /path in a version/],
    ['/v2/models/nvidia/tao/ocrnet/versions/v1/files/a%5Cb', /path in a version/],
    ['/v2/models/nvidia/tao/ocrnet/versions/../files/a', /no version/],
    ['/v2/models/nvidia/tao/ocrnet/versions/a%2Fb', /no version/],
    ['/v2/models/nvidia/tao/ocrnet/versions/a%3Ab', /no version/],
    ['/v2/models/nvidia/../ocrnet', /no name/],
    ['/v2/models/nvidia/tao%2Fx/ocrnet', /no name/],
    ['/v2/org/a%2Fb/models/x', /no name/],
    ['/v2/models/nvidia/tao/%zz', /malformed/],
  ])('%s is refused', (path, words) => {
    expect(() => parseAddress(path)).toThrow(words);
  });
});

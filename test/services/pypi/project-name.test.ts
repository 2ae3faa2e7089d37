import { describe, expect, test } from 'vitest';
import { isName, normalizeName, parseFilename, projectsOf } from '../../../services/pypi/project-name.ts';

test.each([
  ['Friendly-Bard', 'friendly-bard'],
  ['FRIENDLY_BARD', 'friendly-bard'],
  ['friendly.bard', 'friendly-bard'],
  ['friendly--..__bard', 'friendly-bard'],
])('%s is normalised as PEP 503 says', (name, normal) => {
  expect(normalizeName(name)).toBe(normal);
});

test.each(['a', 'A1', 'zope.interface', 'a_b-c.d'])('%s is a name', (name) => {
  expect(isName(name)).toBe(true);
});

test.each(['', '-a', 'a-', '.', '..', 'a/b', 'a b', 'ä', 'a\n', `a${'b'.repeat(200)}`])('%j is no name', (name) => {
  expect(isName(name)).toBe(false);
});

describe('the name of a file says its project and version:', () => {
  test.each([
    ['torch-2.5.1+cu121-cp312-cp312-linux_x86_64.whl', 'torch', '2.5.1+cu121'],
    ['typing_extensions-4.12.2-py3-none-any.whl', 'typing-extensions', '4.12.2'],
    ['Foo.Bar-1!2.0-1build-py3-none-any.whl', 'foo-bar', '1!2.0'],
    ['a-1.0-1-cp312-cp312-linux_x86_64-variant.whl', 'a', '1.0'],
  ])('%s', (filename, project, version) => {
    expect(parseFilename(filename)).toEqual({ project, version, kind: 'wheel' });
  });

  test.each([
    ['requests-2.32.3.tar.gz', 'requests', '2.32.3'],
    ['zope.interface-5.0.0.tar.gz', 'zope-interface', '5.0.0'],
    ['python-dateutil-2.9.0.post0.tar.gz', 'python-dateutil', '2.9.0.post0'],
    ['old-thing-1.0-beta2.zip', 'old-thing', '1.0-beta2'],
    ['old-thing-1.0-1.tgz', 'old-thing', '1.0-1'],
    ['foo-2-bar-1.0.tar.bz2', 'foo-2-bar', '1.0'],
    ['py3k-thing-0.1.tar.gz', 'py3k-thing', '0.1'],
    ['thing-dev.tar.gz', 'thing', 'dev'],
    ['setuptools-0.6c11-py2.7.egg', 'setuptools', '0.6c11'],
    ['lxml-2.3.win-amd64-py2.7.exe', 'lxml', '2.3'],
    ['lxml-2.3.win32.msi', 'lxml', '2.3'],
  ])('%s', (filename, project, version) => {
    expect(parseFilename(filename)).toEqual({ project, version, kind: 'sdist' });
  });

  test('the project, where it is known, settles what the name leaves open', () => {
    expect(parseFilename('foo-3-1.tar.gz')).toMatchObject({ project: 'foo', version: '3-1' });
    expect(parseFilename('foo-3-1.tar.gz', 'foo-3')).toMatchObject({ project: 'foo-3', version: '1' });
    expect(parseFilename('foo-3-1.tar.gz', 'other')).toMatchObject({ project: 'foo', version: '3-1' });
  });

  test('all projects that a file may belong to can be tried, the likeliest first', () => {
    expect(projectsOf('foo-3-1.tar.gz')).toEqual(['foo', 'foo-3']);
    expect(projectsOf('foo-bar-1.0.tar.gz')).toEqual(['foo-bar']);
    expect(projectsOf('foo-1.0-py3-none-any.whl')).toEqual(['foo']);
    expect(projectsOf('index.html')).toEqual([]);
  });
});

test.each([
  '',
  'foo.txt',
  'foo-1.0.txt',
  'foo.tar.gz',
  '-1.0.tar.gz',
  'foo-.tar.gz',
  'foo-1.0-py3-none.whl',
  'foo/bar-1.0.tar.gz',
  '..-1.0.tar.gz',
  'foo-1..0.tar.gz',
  'foo-1.0\n.tar.gz',
  'foo 1-1.0.tar.gz',
  `f${'o'.repeat(400)}-1.0.tar.gz`,
])('%j is no name of a distribution file', (filename) => {
  expect(parseFilename(filename)).toBeUndefined();
});

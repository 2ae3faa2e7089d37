import { expect, test } from 'vitest';
import { repairedTags } from '../../../services/npm/tags.ts';

const offered = (...versions: string[]) => new Map(versions.map((version) => [version, undefined]));
const nothing = () => false;

test('tags of what is offered stay as they are', () => {
  const tags = { latest: '1.0.0', next: '2.0.0-rc.1' };
  expect(repairedTags(tags, offered('1.0.0', '2.0.0-rc.1', '1.5.0'), nothing)).toEqual(tags);
});

test('a tag of something else is gone', () => {
  expect(repairedTags({ latest: '1.0.0', next: '3.0.0' }, offered('1.0.0'), nothing)).toEqual({ latest: '1.0.0' });
});

test('latest becomes the highest version that is settled and not deprecated', () => {
  const versions = offered('9.0.0', '10.0.0', '10.1.0', '11.0.0-rc.1', '2.0.0');
  expect(repairedTags({ latest: '12.0.0' }, versions, (version) => version === '10.1.0')).toEqual({ latest: '10.0.0' });
});

test('where all are pre-releases or deprecated it is the highest of all', () => {
  expect(repairedTags({}, offered('1.0.0-a.2', '1.0.0-a.10'), nothing)).toEqual({ latest: '1.0.0-a.10' });
  expect(repairedTags({}, offered('1.0.0', '2.0.0'), () => true)).toEqual({ latest: '2.0.0' });
});

test('versions that are none by today’s rules stand last, and break nothing', () => {
  expect(repairedTags({}, offered('01.2.3', '1.0.0-..', '1.0.0'), nothing).latest).not.toBe('1.0.0-..');
});

test('nothing offered has no tags', () => {
  expect(repairedTags({ latest: '1.0.0' }, offered(), nothing)).toEqual({});
});

/**
 * Names in the catalog.
 *
 *   bucket/<bucket>
 *   object/<bucket>/<key>
 *   upload/<bucket>/<id>          a multipart upload that is under way; its key and fields are in its entry
 *   part/<id>/<00001>             a part of one
 *   done/<bucket>/<id>            one that was completed: who did not hear the answer asks again
 *
 * A bucket has no slash in its name; a key may be anything.
 */
export const BUCKETS = 'bucket/';
export const bucketKey = (bucket: string) => `${BUCKETS}${bucket}`;
export const objectPrefix = (bucket: string) => `object/${bucket}/`;
export const objectKey = (bucket: string, key: string) => objectPrefix(bucket) + key;
export const uploadPrefix = (bucket: string) => `upload/${bucket}/`;
export const uploadKey = (bucket: string, id: string) => uploadPrefix(bucket) + id;
export const PARTS = 'part/';
export const partPrefix = (id: string) => `${PARTS}${id}/`;
export const partKey = (id: string, number: number) => partPrefix(id) + String(number).padStart(5, '0');
export const donePrefix = (bucket: string) => `done/${bucket}/`;
export const doneKey = (bucket: string, id: string) => donePrefix(bucket) + id;

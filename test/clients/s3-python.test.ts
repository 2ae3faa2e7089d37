import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { client } from '../support/clients.ts';
import { type S3Site, startS3Site } from '../support/s3-site.ts';

let site: S3Site;
const LARGE = randomBytes(20_000_000);
const at = (name: string) => join(site.folder, name);

beforeAll(async () => {
  site = await startS3Site();
  await writeFile(at('large'), LARGE);
});
afterAll(() => site?.close());

test('boto3 puts, gets, copies, presigns and deletes with what it does by default', async () => {
  const said = await site.python(
    await client('awscli'),
    `
import boto3, urllib.request
s3 = boto3.client("s3")
s3.create_bucket(Bucket="boto")
s3.upload_file("large", "boto", "a/large", ExtraArgs={"Metadata": {"one": "1"}})
s3.download_file("boto", "a/large", "boto-got")
s3.copy({"Bucket": "boto", "Key": "a/large"}, "boto", "copied in parts")
s3.put_object(Bucket="boto", Key="ä/+ %2F//x", Body=b"odd")
assert s3.get_object(Bucket="boto", Key="ä/+ %2F//x")["Body"].read() == b"odd"
address = s3.generate_presigned_url("get_object", {"Bucket": "boto", "Key": "ä/+ %2F//x"})
assert "AWSAccessKeyId=" in address, address
assert urllib.request.urlopen(address).read() == b"odd"
head = s3.head_object(Bucket="boto", Key="a/large")
assert (head["ContentLength"], head["Metadata"]) == (20_000_000, {"one": "1"}), head
listed = [one for page in s3.get_paginator("list_objects_v2").paginate(Bucket="boto", PaginationConfig={"PageSize": 1}) for one in page["Contents"]]
assert [one["Key"] for one in listed] == ["a/large", "copied in parts", "ä/+ %2F//x"], listed
assert listed[0]["ETag"] == head["ETag"]
try:
    s3.put_object(Bucket="boto", Key="a/large", Body=b"", IfNoneMatch="*")
    assert False
except s3.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "PreconditionFailed", error
form = s3.generate_presigned_post("boto", "form")
assert form["fields"]["key"] == "form"
deleted = s3.delete_objects(Bucket="boto", Delete={"Objects": [{"Key": one["Key"]} for one in listed]})
assert len(deleted["Deleted"]) == 3, deleted
s3.delete_bucket(Bucket="boto")
print("done")
`,
  );
  expect(said).toBe('done\n');
  expect((await readFile(at('boto-got'))).equals(LARGE)).toBe(true);
});

test('s3fs, as TAO’s core has it, lists, looks, finds, uploads and downloads', async () => {
  const said = await site.python(
    await client('s3fs'),
    `
import os, s3fs
fs = s3fs.S3FileSystem(key=os.environ["AWS_ACCESS_KEY_ID"], secret=os.environ["AWS_SECRET_ACCESS_KEY"],
                       client_kwargs={"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": "us-east-1"})
fs.mkdir("tao")
fs.upload("large", "tao/models/a b/large")
with fs.open("tao/models/notes.txt", "wb") as file:
    file.write(b"hello")
fs.invalidate_cache()
assert fs.ls("tao") == ["tao/models"], fs.ls("tao")
assert sorted(fs.find("tao")) == ["tao/models/a b/large", "tao/models/notes.txt"]
assert fs.glob("tao/models/*.txt") == ["tao/models/notes.txt"]
assert fs.isfile("tao/models/notes.txt") and fs.isdir("tao/models") and not fs.exists("tao/none")
assert fs.info("tao/models/a b/large")["size"] == 20_000_000
with fs.open("tao/models/a b/large", "rb") as file:
    file.seek(19_999_990)
    assert len(file.read(100)) == 10
fs.download("tao/models/a b/large", "s3fs-got")
fs.copy("tao/models/a b/large", "tao/copied")
fs.mv("tao/copied", "tao/moved")
fs.rm("tao", recursive=True)
print("done")
`,
  );
  expect(said).toBe('done\n');
  expect((await readFile(at('s3fs-got'))).equals(LARGE)).toBe(true);
});

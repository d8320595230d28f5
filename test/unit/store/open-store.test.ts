/** `WEIR_STORE`: what it may say, and what is said when it can't be understood. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isOperatingError } from "../../../src/base/errors.ts";
import { openStore, parseStoreUrl } from "../../../src/store/open-store.ts";
import { systemClock, systemRandom } from "../../../src/system.ts";

test("parseStoreUrl, given a path or a file: address, names that folder", () => {
  assert.deepEqual(parseStoreUrl("/var/lib/weir"), { type: "file", path: "/var/lib/weir" });
  assert.deepEqual(parseStoreUrl("./data %41"), { type: "file", path: "./data %41" });
  assert.deepEqual(parseStoreUrl("file:data%20x"), { type: "file", path: "data x" });
  assert.deepEqual(parseStoreUrl("file:///var/lib/w%20x"), { type: "file", path: "/var/lib/w x" });
});

test("parseStoreUrl, given an s3: address, names the bucket and how it is reached", () => {
  const plain = { type: "s3", bucket: "photos", prefix: "", connections: 64 };
  assert.deepEqual(parseStoreUrl("s3://photos"), plain);
  assert.deepEqual(parseStoreUrl("s3://photos/"), plain);
  assert.deepEqual(parseStoreUrl("S3://photos/a/../b%2F/?region=eu-west-1"), {
    ...plain,
    prefix: "a/../b//",
    region: "eu-west-1",
  });
  assert.deepEqual(parseStoreUrl("s3://photos/p?endpoint=http://127.0.0.1:9000&forcePathStyle=false&connections=8"), {
    type: "s3",
    bucket: "photos",
    prefix: "p",
    region: "us-east-1",
    endpoint: "http://127.0.0.1:9000",
    forcePathStyle: false,
    connections: 8,
  });
});

test("parseStoreUrl, given an azure: address, names the container and how it is reached", () => {
  const plain = { type: "azure", container: "photos", prefix: "", connections: 64 };
  assert.deepEqual(parseStoreUrl("azure://photos"), plain);
  const full = "azure://photos/a%20b/?account=acc&endpoint=http://127.0.0.1:10000/acc&connections=8";
  assert.deepEqual(parseStoreUrl(full), {
    ...plain,
    prefix: "a b/",
    account: "acc",
    endpoint: "http://127.0.0.1:10000/acc",
    connections: 8,
  });
});

test("parseStoreUrl, given what it can't understand, says what is wrong with it", () => {
  const cases: readonly [string, RegExp][] = [
    ["", /it is empty/],
    ["gs://photos", /no kind of store "gs"/],
    ["file:", /names no folder/],
    ["file://host/x", /no folder of this host/],
    ["file:%FF", /not percent-encoded/],
    ["s3:photos", /"" is not the name of a bucket/],
    ["s3://ph", /"ph" is not the name of a bucket/],
    ["s3://key:secret@photos/", /keys don't belong in it/],
    ["s3://photos?regoin=x", /"regoin" is none of/],
    ["s3://photos?region=x&region=y", /"region" occurs more than once/],
    ["s3://photos?endpoint=127.0.0.1:9000", /endpoint must be/],
    ["s3://photos?forcePathStyle=yes", /forcePathStyle must be/],
    ["s3://photos?connections=0", /connections must be/],
    ["azure://Photos", /"Photos" is not the name of a container/],
    ["azure://acc:secret@photos/", /set AZURE_STORAGE_CONNECTION_STRING/],
    ["azure://photos?region=x", /"region" is none of account, connections, endpoint/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseStoreUrl(text),
      (error) => {
        assert(isOperatingError(error, "config_invalid"), String(error));
        assert.match(error.message, message);
        assert(!error.message.includes("secret@"), "no secret is repeated");
        return true;
      },
    );
  }
});

test("openStore gives the kind of store that the settings name, described without secrets", async () => {
  const ports = { clock: systemClock, random: systemRandom };
  await using folder = openStore({ type: "file", path: "/var/lib/weir" }, ports);
  assert.equal(folder.description, "folder /var/lib/weir");
  await using bucket = openStore(
    { type: "s3", bucket: "photos", prefix: "p/", connections: 1, accessKeyId: "key", secretAccessKey: "secret" },
    ports,
  );
  assert.equal(bucket.description, "s3://photos/p/");
  await using container = openStore(
    { type: "azure", container: "photos", prefix: "p/", connections: 1, account: "a", accountKey: "c2VjcmV0" },
    ports,
  );
  assert.equal(container.description, "azure://photos/p/");
});

/** What is made of a bucket's listing, and of documents that are none; names that S3 servers don't take. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isOperatingError } from "../../../../src/base/errors.ts";
import { listParameters, parseList } from "../../../../src/store/s3/s3-listing.ts";
import { escapeName, nameOfKey } from "../../../../src/store/s3/s3-names.ts";

const query = { prefix: "", after: "", delimiter: "", limit: 10 };

function document(content: string): Buffer {
  return Buffer.from(`<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Name>b</Name>${content}</ListBucketResult>`);
}

function object(key: string, tag = "&quot;d41d8cd98f00b204e9800998ecf8427e&quot;"): string {
  return `<Contents><Key>${key}</Key><LastModified>2026-11-25T01:00:00.000Z</LastModified><ETag>${tag}</ETag><Size>5</Size></Contents>`;
}

describe("a bucket's listing", () => {
  test("is read whether it has no object, one, or several, with their names decoded as it says", () => {
    const whole = "<IsTruncated>false</IsTruncated>";
    assert.deepEqual(parseList("", query, document(whole)).page.blobs, []);
    const one = parseList(
      "p/",
      query,
      document(`${whole}<EncodingType>url</EncodingType>${object("p/a%2Fb+c%2Bd")}`),
    ).page;
    assert.deepEqual(one.blobs, [
      {
        name: "a/b c+d",
        size: 5,
        tag: "d41d8cd98f00b204e9800998ecf8427e",
        md5: "d41d8cd98f00b204e9800998ecf8427e",
        modifiedMs: 1_795_568_400_000,
      },
    ]);
    const plain = parseList(
      "",
      query,
      document(`${whole}${object("a+b%2F&amp;")}${object("c", "&quot;0a-2&quot;")}`),
    ).page;
    assert.deepEqual(
      plain.blobs.map(({ name, tag, md5 }) => [name, tag, md5]),
      [
        ["a+b%2F&", "d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e"],
        ["c", "0a-2", undefined],
      ],
    );
  });

  test("goes on after its last entry, or by the server's token where nothing in it is for the caller", () => {
    const cut =
      "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><EncodingType>url</EncodingType>";
    const prefixes =
      "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>";
    const both = parseList("", { ...query, delimiter: "/" }, document(`${cut}${object("a")}${object("c")}${prefixes}`));
    assert.deepEqual([both.page.prefixes, both.page.next], [["b/", "d/"], "d/"]);
    // No UTF-8; a key that no name has; the store's prefix itself; what was listed before.
    for (const key of ["%FF", "%01a", "", "x"]) {
      const answer = parseList("", { ...query, after: "x" }, document(cut + object(key)));
      assert.deepEqual([answer.page.blobs, answer.page.next, answer.nextToken], [[], undefined, "t"], key);
    }
  });

  test("is a failure of the store's when it is cut, something else, or does not say where it goes on", () => {
    const tokenless = document("<IsTruncated>true</IsTruncated>");
    const cut = document(`<IsTruncated>false</IsTruncated>${object("a")}`).subarray(0, 200);
    for (const body of [undefined, Buffer.from(""), Buffer.from("<html>sign in</html>"), cut, tokenless]) {
      assert.throws(
        () => parseList("", query, body),
        (error) => isOperatingError(error, "store_unavailable"),
      );
    }
  });

  test("is asked for from behind the last common prefix", () => {
    const after = (query_: Partial<typeof query>) =>
      new Map(listParameters("p/", { ...query, ...query_ }, undefined)).get("start-after");
    assert.equal(after({}), undefined);
    assert.equal(after({ after: "a/b" }), "p/a/b");
    assert.equal(after({ after: "a/", delimiter: "/" }), "p/a/\u{10FFFF}");
    assert.equal(after({ after: "a/b", prefix: "a/", delimiter: "/" }), "p/a/b");
  });
});

test("nameOfKey undoes escapeName, which keeps the order, and knows keys that no name has", () => {
  const characters = ["\0", "\u0001", "\u0002", "\u0003", "\u0004", "a"];
  const names = characters.flatMap((a) => characters.flatMap((b) => characters.map((c) => a + b + c))).sort();
  const keys = names.map(escapeName);
  assert.deepEqual(keys.toSorted(), keys);
  assert.deepEqual(keys.map(nameOfKey), names);
  for (const key of keys) assert(!key.includes("\0"));
  for (const key of ["\u0001", "\u0002", "a\u0001\u0002", "\u0001\u0002\u0004", "\u0001\u0001\u0002\u0002"]) {
    assert.equal(nameOfKey(key), undefined);
  }
});

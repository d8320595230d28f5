/**
 * What Ceph's s3-tests ask of an S3 server, where no other test here asks it: listings with every kind of delimiter,
 * prefix and marker, conditions on dates, ranges at both ends, metadata, and words of the wire.
 */

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { HttpHost } from "../harness/http-host.ts";
import type { RawAnswer } from "../harness/raw-http.ts";
import { codeIn, presignS3, type S3Request, sendS3, testKeyRule } from "../harness/s3-request.ts";

async function guarded(): Promise<HttpHost> {
  const s3 = { buckets: [{ name: "all", prefix: "" }], createBuckets: true, domain: undefined };
  const host = await HttpHost.start({ maxValueBytes: 100_000, maxStreamBytes: 10_000_000 }, { s3 });
  host.access.setRules({ tokens: [], s3Keys: [testKeyRule] });
  return host;
}

type Words = Readonly<Record<string, string>>;

const pathOf = (key: string): string => `/all/${encodeURIComponent(key).replaceAll("%2F", "/").replaceAll("'", "%27")}`;
const put = (key: string, body: string | Buffer = key, headers: Words = {}): S3Request => ({
  method: "PUT",
  path: pathOf(key),
  body,
  headers,
});
const get = (path: string, query: Words = {}, headers: Words = {}): S3Request => ({
  method: "GET",
  path,
  query,
  headers,
});

function assertDone(answer: RawAnswer, status = 200): RawAnswer {
  assert.equal(answer.status, status, answer.body.toString());
  return answer;
}

function assertCode(answer: RawAnswer, status: number, code: string): void {
  assert.deepEqual([answer.status, codeIn(answer)], [status, code]);
}

const textsIn = (text: string, element: string): string[] =>
  [...text.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, "g"))].map(([, inner]) => inner as string);

interface Listed {
  readonly keys: string[];
  readonly prefixes: string[];
  readonly prefix: string;
  readonly isTruncated: boolean;
  readonly next: string | undefined;
  readonly text: string;
}

async function list(host: HttpHost, version: 1 | 2, query: Words): Promise<Listed> {
  const { marker, ...others } = query;
  const second = { "list-type": "2", ...others, ...(marker !== undefined && { "start-after": marker }) };
  const text = assertDone(await sendS3(host, get("/all", version === 1 ? query : second))).body.toString();
  const decode = (each: string): string => each.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
  return {
    keys: textsIn(text, "Key").map(decode),
    prefixes: [...text.matchAll(/<CommonPrefixes><Prefix>([^<]*)</g)].map(([, each]) => decode(each as string)),
    prefix: decode(textsIn(text, "Prefix")[0] ?? ""),
    isTruncated: textsIn(text, "IsTruncated")[0] === "true",
    next: textsIn(text, version === 1 ? "NextMarker" : "NextContinuationToken")[0],
    text,
  };
} // biome-ignore format: long calls

const plain = ["bar", "baz", "cab", "foo"];
const words = ["bar", "baz", "foo", "quxx"];
const folders = ["asdf", "foo/bar", "foo/baz/xyzzy", "quux/thud"];
const letters = ["b/a/c", "b/a/g", "b/a/r", "g"];

/** The keys that are there, what is asked for, and the keys and common prefixes that are the answer. */
const listings: readonly (readonly [keys: readonly string[], query: Words, found: readonly string[], prefixes?: readonly string[]])[] = [
  [folders, { delimiter: "/" }, ["asdf"], ["foo/", "quux/"]],
  [["asdf/"], { prefix: "asdf/", delimiter: "/" }, ["asdf/"]],
  [plain, { delimiter: "a" }, ["foo"], ["ba", "ca"]],
  [["b%ar", "b%az", "c%ab", "foo"], { delimiter: "%" }, ["foo"], ["b%", "c%"]],
  [["b ar", "b az", "c ab", "foo"], { delimiter: " " }, ["foo"], ["b ", "c "]],
  [["b.ar", "b.az", "c.ab", "foo"], { delimiter: "." }, ["foo"], ["b.", "c."]],
  [plain, { delimiter: "\n" }, plain],
  [plain, { delimiter: "" }, plain],
  [plain, { delimiter: "/" }, plain],
  [["0/", "0/1000", "0/1998", "1999", "1999#", "1999+", "2000"], { delimiter: "/" }, ["1999", "1999#", "1999+", "2000"], ["0/"]],
  [folders, { prefix: "foo/" }, ["foo/bar", "foo/baz/xyzzy"]],
  [plain, { prefix: "ba" }, ["bar", "baz"]],
  [plain, { prefix: "" }, plain],
  [plain, { prefix: "d" }, []],
  [plain, { prefix: "\n" }, []],
  [folders, { prefix: "foo/", delimiter: "/" }, ["foo/bar"], ["foo/baz/"]],
  [["bar", "bazar", "cab", "foo"], { prefix: "ba", delimiter: "a" }, ["bar"], ["baza"]],
  [letters, { prefix: "/", delimiter: "d" }, []],
  [letters, { prefix: "b", delimiter: "z" }, letters.slice(0, 3)],
  [letters, { prefix: "y", delimiter: "z" }, []],
  [words, { "max-keys": "0" }, []],
  [words, { marker: "" }, words],
  [words, { marker: "\n" }, words],
  [words, { marker: "blah" }, ["foo", "quxx"]],
  [words, { marker: "zzz" }, []],
  [[" ", '"', "$", "%", "&", "'", "<", ">", "_", "_ ", "_ _", "__"], { prefix: "_" }, ["_", "_ ", "_ _", "__"]],
  [[" ", '"', "$", "%", "&", "'", "<", ">"], {}, [" ", '"', "$", "%", "&", "'", "<", ">"]],
]; // biome-ignore format: a table

describe("a listing by S3", () => {
  it("has the keys and the common prefixes that are asked for, in both versions", async () => {
    for (const [keys, query, found, prefixes = []] of listings) {
      await using host = await guarded();
      for (const key of keys) assertDone(await sendS3(host, put(key)));
      for (const version of [1, 2] as const) {
        const what = JSON.stringify({ query, version });
        const listed = await list(host, version, query);
        assert.deepEqual([listed.keys, listed.prefixes, listed.isTruncated], [found, prefixes, false], what);
        const { "max-keys": limit = "1000", delimiter = "", prefix = "" } = query;
        assert.deepEqual(textsIn(listed.text, "MaxKeys"), [limit], what);
        assert.deepEqual(textsIn(listed.text, "Delimiter").length, delimiter === "" ? 0 : 1, what);
        assert.equal(listed.prefix, prefix, what);
      }
    }
  });

  it("goes on after a common prefix, and names it as the next marker", async () => {
    for (const [first, middle, last] of [["asdf", "boo/", "cquux/"], ["_obj1_", "_under1/", "_under2/"]] as const) {
      await using host = await guarded();
      for (const key of [first, `${middle}bar`, `${middle}baz/xyzzy`, `${last}thud`, `${last}bla`]) assertDone(await sendS3(host, put(key)));
      const pages = async (version: 1 | 2, prefix: string, limit: number): Promise<unknown[]> => {
        const all: unknown[] = [];
        let position: Words = {};
        for (let more = true; more; ) {
          const { keys, prefixes, isTruncated, next } = await list(host, version, { prefix, delimiter: "/", "max-keys": String(limit), ...position });
          all.push([...keys, ...prefixes]);
          assert.equal(next !== undefined, isTruncated);
          if (version === 1 && isTruncated) assert.equal(next, [...keys, ...prefixes].at(-1));
          position = { [version === 1 ? "marker" : "continuation-token"]: next ?? "" };
          more = isTruncated;
        }
        return all;
      };
      for (const version of [1, 2] as const) {
        assert.deepEqual(await pages(version, "", 1), [[first], [middle], [last]]);
        assert.deepEqual(await pages(version, "", 2), [[first, middle], [last]]);
        assert.deepEqual(await pages(version, middle, 1), [[`${middle}bar`], [`${middle}baz/`]]);
        assert.deepEqual(await pages(version, middle, 2), [[`${middle}bar`, `${middle}baz/`]]);
      }
    }
  }); // biome-ignore format: long calls

  it("tells of each object what a look at it tells, and the owner only where that is asked for", async () => {
    await using host = await guarded();
    for (const key of ["foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "asdf+b"])
      assertDone(await sendS3(host, put(key)));
    for (const version of [1, 2] as const) {
      const { text, prefixes } = await list(host, version, { delimiter: "/", "encoding-type": "url" });
      assert.deepEqual([textsIn(text, "Key"), prefixes], [["asdf%2Bb"], ["foo%2B1/", "foo/", "quux%20ab/"]]);
      assert.equal(textsIn(text, "DisplayName").length, version === 1 ? 1 : 0);
      const { headers } = assertDone(await sendS3(host, { method: "HEAD", path: pathOf("asdf+b") }));
      assert.deepEqual(textsIn(text, "ETag"), [headers["etag"]?.replaceAll('"', "&#34;")]);
      assert.deepEqual(textsIn(text, "Size"), [headers["content-length"]]);
      const listedMs = Date.parse(textsIn(text, "LastModified")[0] ?? "");
      assert.ok(Math.abs(listedMs - Date.parse(headers["last-modified"] ?? "")) <= 1_000);
    }
    const counted = await list(host, 2, { delimiter: "/" });
    assert.deepEqual(textsIn(counted.text, "KeyCount"), ["4"]);
  });
});

describe("an object by S3", () => {
  it("is read on conditions of its date", async () => {
    await using host = await guarded();
    assertDone(await sendS3(host, put("a")));
    const [old, later] = ["Sat, 29 Oct 1994 19:43:31 GMT", "Sat, 29 Oct 2100 19:43:31 GMT"];
    const { headers } = assertDone(await sendS3(host, get("/all/a")));
    const cases = [
      ["if-modified-since", old, 200],
      ["if-modified-since", headers["last-modified"] as string, 304],
      ["if-unmodified-since", old, 412],
      ["if-unmodified-since", later, 200],
    ] as const;
    for (const [name, date, status] of cases)
      assertDone(await sendS3(host, get("/all/a", {}, { [name]: date })), status);
  });

  it("is read from a byte on, or its last bytes, and not beyond its end", async () => {
    await using host = await guarded();
    const large = Buffer.alloc(300_000, "0123456789abc");
    for (const [key, value] of [["a", Buffer.from("testcontent")], ["large", large]] as const) {
      assertDone(await sendS3(host, put(key, value)));
      const size = value.length;
      for (const [range, start, end] of [["4-7", 4, 8], ["4-", 4, size], ["-7", size - 7, size], [`4-${2 * size}`, 4, size]] as const) {
        const part = assertDone(await sendS3(host, get(`/all/${key}`, {}, { range: `bytes=${range}` })), 206);
        assert.ok(part.body.equals(value.subarray(start, end)));
        assert.equal(part.headers["content-range"], `bytes ${start}-${end - 1}/${size}`);
      }
    }
    assertDone(await sendS3(host, put("empty", "")));
    for (const key of ["a", "empty"]) assertCode(await sendS3(host, get(`/all/${key}`, {}, { range: "bytes=40-50" })), 416, "InvalidRange");
  }); // biome-ignore format: a table

  it("has the metadata of its last write: none, or empty", async () => {
    await using host = await guarded();
    const metadata = async (): Promise<string | undefined> =>
      assertDone(await sendS3(host, get("/all/a"))).headers["x-amz-meta-a"];
    for (const value of ["good", "", undefined]) {
      assertDone(await sendS3(host, put("a", "1", value === undefined ? {} : { "x-amz-meta-a": value })));
      assert.equal(await metadata(), value);
    }
    assertDone(await sendS3(host, put("empty", "")));
    assert.equal((await sendS3(host, { method: "HEAD", path: "/all/empty" })).headers["content-length"], "0");
  });

  it("is refused with an MD5 that is none, or another one's", async () => {
    await using host = await guarded();
    const other = hash("md5", "other", "base64");
    for (const [md5, code] of [["YWJyYWNhZGFicmE=", "InvalidDigest"], ["", "InvalidDigest"], [other, "BadDigest"]] as const) {
      assertCode(await sendS3(host, put("a", "1", { "content-md5": md5 })), 400, code);
    }
    assert.equal(host.operations.values.size, 0);
  }); // biome-ignore format: a table

  it("comes by a presigned address without its length, in HTTP's own chunks", async () => {
    await using host = await guarded();
    const target = await presignS3({ method: "PUT", path: "/all/a" }, `127.0.0.1:${host.port}`);
    await using connection = await host.connect();
    connection.send(`PUT ${target} HTTP/1.1\r\nHost: 127.0.0.1:${host.port}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`);
    assertDone(await connection.answer());
    assert.equal((await sendS3(host, get("/all/a"))).body.toString(), "abcde");
  }); // biome-ignore format: long calls

  it("is not there, nor anything else, in a bucket that is not, or is gone", async () => {
    await using host = await guarded();
    for (const request of [put("x"), get("/x/foo"), get("/x"), { method: "DELETE", path: "/x/foo" }, { method: "DELETE", path: "/x" }]) {
      const inX = { ...request, path: request.path.replace(/^\/all\//, "/x/") };
      assertCode(await sendS3(host, inX), 404, "NoSuchBucket");
      assertDone(await sendS3(host, { method: "PUT", path: "/gone" }));
      assertDone(await sendS3(host, { method: "DELETE", path: "/gone" }), 204);
      assertCode(await sendS3(host, { ...inX, path: inX.path.replace(/^\/x/, "/gone") }), 404, "NoSuchBucket");
    }
    const target = await presignS3(get("/gone/foo"), "localhost");
    const presigned = await host.request("GET", target);
    assertCode(presigned, 404, "NoSuchBucket");
    assert.match(presigned.body.toString(), new RegExp(`<RequestId>${presigned.headers["x-amz-request-id"]}</RequestId>`));
  }); // biome-ignore format: long calls

  it("is removed twice with many others, a thousand at most", async () => {
    await using host = await guarded();
    const document = (keys: readonly string[]): S3Request => {
      const body = `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join("")}</Delete>`;
      return { method: "POST", path: "/all", query: { delete: "" }, headers: { "content-md5": hash("md5", body, "base64") }, body };
    };
    assertDone(await sendS3(host, put("key0")));
    const keys = Array.from({ length: 1_000 }, (_, index) => `key${index}`);
    for (let again = 0; again < 2; again++) {
      const { body } = assertDone(await sendS3(host, document(keys)));
      assert.deepEqual(textsIn(body.toString(), "Key"), keys);
      assert.deepEqual(textsIn(body.toString(), "Code"), []);
    }
    assertCode(await sendS3(host, document([...keys, "one more"])), 400, "MalformedXML");
  }); // biome-ignore format: long calls
});

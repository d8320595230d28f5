/**
 * Bytes that a hostile or broken client might send: requests that are nearly right, and whatever else; drawn by a seed.
 */

import { peerProtocol } from "../../src/network/dial.ts";
import type { SimRandom } from "./sim-random.ts";

const methods = [
  "GET",
  "GET",
  "HEAD",
  "PUT",
  "PUT",
  "DELETE",
  "POST",
  "OPTIONS",
  "PATCH",
  "TRACE",
  "CONNECT",
  "get",
  "PRI",
];
const targets = [
  "/kv/a", "/kv/a", "/kv/", "/kv/?prefix=a&limit=2", "/kv/?limit=x", "/kv/?prefix=%", "/kv/a?x", "/kv/%", "/kv/%zz", "/kv/%ff", "/kv/%00",
  "/kv/a/../b", "/kv//", "/kv/.weir/view.json", "/kv/%2e%77eir/x", "/get/a", "/get/", "/put/", "/put", "/healthz", "/readyz", "/metrics", "/cluster", "/nowhere",
  "*", "/", "http://other/kv/a", "a", "//", "/kv/#", `/kv/${"k".repeat(1024)}`, `/kv/${"%41".repeat(1025)}`, `/kv/${"x".repeat(9_000)}`,
]; // biome-ignore format: a table
/** What makes a request one of S3. */
const signature = "X-Amz-Algorithm=AWS4-HMAC-SHA256";
/** The bucket of all keys has the cluster's name. */
const s3Targets = [
  "/", "/test", "/test/", "/test/a", "/test/a", "/test/a", "/test/%ff", "/test/a/../b", "//", "/nowhere/a", "/test/.weir/view.json", `/test/${"k".repeat(1_025)}`,
  "/test?delete", "/test?acl", "/test?uploads", "/test/a?acl", "/test/a?partNumber=1", "/test/a?versionId=1", "/test?list-type=2&max-keys=1", "/test?max-keys=x&delimiter=/", "/test?list-type=2&continuation-token=!",
  "/test/a?response-content-type=a%0d%0ab", "/test?prefix=%zz", "/test?prefix=a&prefix=b",
].map((target) => `${target}${target.includes("?") ? "&" : "?"}${signature}`); // biome-ignore format: a table
const s3Fields: Readonly<Record<string, readonly string[]>> = {
  "x-amz-content-sha256": ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "x"],
  "x-amz-decoded-content-length": ["0", "5", "99999999999999", "-1", "x"],
  "x-amz-trailer": ["x-amz-checksum-crc32", "x-amz-checksum-crc64nvme", "x, y", ""],
  "x-amz-checksum-crc32c": ["AAAAAA==", "x"],
  "x-amz-copy-source": ["/test/a", "test/b", "x", "%", "\xff"],
  "x-amz-metadata-directive": ["REPLACE", "x"],
  "x-amz-meta-a": ["1", "\xe4", "v".repeat(3_000)],
  "x-amz-acl": ["private", "public-read"],
  "x-amz-date": ["20130524T000000Z"],
  Authorization: ["AWS4-HMAC-SHA256 Credential=a/20130524/b/s3/aws4_request,SignedHeaders=host,Signature=0", "AWS a:b"],
}; // biome-ignore format: a table
const s3Names = Object.keys(s3Fields);
const s3Bodies = [
  "5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "5;chunk-signature=0\r\n", "ffffffffffff\r\n", "0\r\n", "1\r\na\r\n".repeat(20_000),
  "<Delete><Object><Key>a</Key></Object></Delete>", "<Delete>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a>".repeat(20_000), "&#x110000;", "",
]; // biome-ignore format: a table
const tags = [
  '"x"',
  "*",
  'W/"x"',
  '"',
  "x",
  '"a", "b"',
  ',,"a",',
  `"${"y".repeat(3_000)}"`,
  "",
  '"900150983cd24fb0d6963f7d28e17f72"',
];
const dates = [
  "Sun, 06 Nov 1994 08:49:37 GMT",
  "Sunday, 06-Nov-94 08:49:37 GMT",
  "tomorrow",
  "Sun Nov  6 08:49:37 1994",
  "0",
];
const ranges = [
  "bytes=0-1",
  "bytes=-1",
  "bytes=5-",
  "bytes=-",
  "bytes=0-0,2-2",
  "bytes=9999999999999999999999-",
  "lines=1-2",
  "bytes=--1",
  "",
];
const fields: Readonly<Record<string, readonly string[]>> = {
  "Content-MD5": ["1B2M2Y8AsgTpgAmY7PhCfg==", "1B2M2Y8AsgTpgAmY7PhCfg", "=", "", "\xff"],
  "If-Match": tags,
  "If-None-Match": tags,
  "If-Range": [...tags, ...dates],
  "If-Modified-Since": dates,
  "If-Unmodified-Since": dates,
  Range: ranges,
  "Content-Range": ranges,
  "Weir-Durability": ["replicated", "stored", "none", "stored, stored"],
  Expect: ["100-continue", "200-ok", "100-continue, 100-continue"],
  "Transfer-Encoding": ["chunked", "gzip, chunked", "identity", "chunked, chunked", " chunked"],
  "Content-Length": ["0", "3", "-1", "3, 3", "0x3", "9007199254740993", "+3", "3 "],
  Connection: ["close", "keep-alive", "upgrade", "close, upgrade", ""],
  Upgrade: [peerProtocol, "websocket", "h2c"],
  Host: ["127.0.0.1", "localhost:7070", "evil.example", "", "a b", "127.0.0.1, 127.0.0.1"],
  Origin: ["http://evil.example", "null", "x"],
  "Sec-Fetch-Site": ["cross-site", "none", "same-origin", "?"],
  "Access-Control-Request-Method": ["PUT", "x y"],
  Authorization: ["Bearer x", "Bearer", "Basic eDp5", `Bearer ${"z".repeat(5_000)}`],
  "Content-Type": ["text/plain", "", "\xff\xfe", "a/b\x0bc"],
  "x-weir-meta-a": ["1", "\xe4\xf6", " ".repeat(100), "%".repeat(700)],
  "x-weir-meta-_": ["1"],
  "X Bad": ["1"],
  "": ["1"],
};
/** Conditions are met or not by few of the requests that have one: so more have one than another field. */
const conditions = ["If-Match", "If-None-Match", "If-Unmodified-Since"];
const names = [...Object.keys(fields), ...Array.from({ length: 10 }, () => conditions).flat()];

const legacyBodies = [
  '{"key":"a","extension":"b","data":"YWJj"}', '{"key":"a","extension":"b","data":"YW=Jj"}', '{"key":1}', "[]", "null", '"', "{", '{"key":"\\ud800","extension":"b","data":"YQ=="}',
  '{"__proto__":{"key":"a"},"data":"YQ=="}', `${"[".repeat(5_000)}`, '{"key":"a","key":"b","extension":"c","data":"YQ=="}', '{"key":"a","extension":"\\u0000","data":"YQ=="}',
]; // biome-ignore format: a table

/** What one connection sends, piece by piece. */
export function drawPieces(random: SimRandom): Buffer[] {
  const luck = random.next();
  if (luck < 0.08) return [noise(random, random.whole(1, 5_000))];
  if (luck < 0.12) return [Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), noise(random, 100)];
  if (luck < 0.2) return [Buffer.from(upgrade), ...drawFrames(random)];
  const count = random.pick([1, 1, 1, 2, 5, 30]);
  let bytes: Buffer = Buffer.concat(Array.from({ length: count }, () => drawRequest(random)));
  if (random.chance(0.15)) bytes = mutate(random, bytes);
  if (random.chance(0.15)) bytes = bytes.subarray(0, random.whole(0, bytes.length));
  const cut = random.chance(0.5) ? random.whole(0, bytes.length) : bytes.length;
  return [bytes.subarray(0, cut), bytes.subarray(cut)];
}

const upgrade = `GET /peer HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: ${peerProtocol}\r\n\r\n`;

/** Frames of a handshake: length and JSON, or neither. */
function drawFrames(random: SimRandom): Buffer[] {
  const hello = {
    type: "hello",
    version: random.whole(1, 4),
    cluster: "test",
    id: "z",
    incarnation: random.id(),
    to: "a",
    nonce: random.id(),
  };
  return Array.from({ length: random.whole(0, 4) }, () => {
    const json = random.chance(0.5) ? Buffer.from(JSON.stringify(hello)) : noise(random, random.whole(0, 300));
    const length = Buffer.alloc(2);
    length.writeUInt16BE(random.chance(0.8) ? json.length : random.whole(0, 65_535));
    return mutate(random, Buffer.concat([length, json]), random.pick([0, 0, 1, 5]));
  });
}

function drawRequest(random: SimRandom): Buffer {
  const method = random.pick(methods);
  const isS3 = random.chance(0.25);
  const target = random.pick(isS3 ? s3Targets : targets);
  const lines = [
    `${method} ${target} HTTP/${random.pick(["1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.0", "2.0", "9"])}`,
  ];
  if (random.chance(0.95)) lines.push("Host: 127.0.0.1");
  for (let n = random.pick([0, 0, 1, 1, 2, 4]); n > 0; n--) {
    const name = random.pick(names);
    lines.push(`${name}: ${random.pick(fields[name] as readonly string[])}`);
  }
  for (let n = isS3 ? random.pick([0, 1, 2, 4]) : 0; n > 0; n--) {
    const name = random.pick(s3Names);
    lines.push(`${name}: ${random.pick(s3Fields[name] as readonly string[])}`);
  }
  if (random.chance(0.02)) for (let n = 0; n < 500; n++) lines.push(`x-${n}: ${"v".repeat(n)}`);
  const head = `${lines.join(random.chance(0.97) ? "\r\n" : "\n")}`;
  const hasBody = method === "PUT" || method === "POST" || random.chance(0.1);
  if (!hasBody) return Buffer.from(`${head}\r\n\r\n`, "latin1");
  const body =
    isS3 && random.chance(0.8)
      ? random.pick(s3Bodies)
      : target.startsWith("/put")
        ? random.pick(legacyBodies)
        : "v".repeat(random.pick([0, 1, 100, 70_000]));
  if (random.chance(0.3))
    return Buffer.from(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(random, body)}`, "latin1");
  const length = random.chance(0.9) ? body.length : random.whole(0, 100_000_000);
  return Buffer.from(`${head}\r\nContent-Length: ${length}\r\n\r\n${body}`, "latin1");
}

function chunked(random: SimRandom, body: string): string {
  const size = random.chance(0.8)
    ? body.length.toString(16)
    : random.pick(["0", "-1", "zz", "ffffffffffffffffff", " 5", ""]);
  const extension = random.pick(["", "", ";a=b", `;${"e".repeat(20_000)}`]);
  const trailer = random.pick(["", "", "x: y\r\n", "Content-Length: 5\r\n", `t: ${"t".repeat(20_000)}\r\n`]);
  return `${size}${extension}\r\n${body}\r\n0\r\n${trailer}\r\n`;
}

export function noise(random: SimRandom, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.word() & 255));
}

/** Flips, removes, repeats and inserts, `times` times. */
export function mutate(random: SimRandom, bytes: Buffer, times = random.whole(1, 8)): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (let n = 0; n < times && result.length > 0; n++) {
    const at = random.whole(0, result.length - 1);
    const end = Math.min(result.length, at + random.whole(1, 20));
    const before = result.subarray(0, at);
    const change = random.whole(0, 3);
    if (change === 0) result[at] = random.word() & 255;
    else if (change === 1) result = Buffer.concat([before, result.subarray(end)]);
    else if (change === 2) result = Buffer.concat([before, result.subarray(at, end), result.subarray(at)]);
    else
      result = Buffer.concat([
        before,
        Buffer.from(random.pick(["\r\n", "\n", "\0", ":", " ", "\r\n\r\n"])),
        result.subarray(at),
      ]);
  }
  return result;
}

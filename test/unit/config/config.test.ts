/** The configuration: what is filled in, what is refused, and how it is said. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inspect } from "node:util";
import { hashToken, placeholderHash } from "../../../src/access/token.ts";
import { isOperatingError } from "../../../src/base/errors.ts";
import { type Config, type ConfigContext, dataFolder, parseConfig } from "../../../src/config/config.ts";
import { jsonMistake } from "../../../src/config/json-mistake.ts";
import { findOwnNode, listenAddress } from "../../../src/config/own-node.ts";
import { listSettings } from "../../../src/config/settings.ts";

const gibibyte = 1024 ** 3;
const secretValue = "0123456789abcdef";

const context: ConfigContext = {
  fileName: "cluster.json",
  folder: "/etc/weir",
  env: { WEIR_SECRET: secretValue },
  memoryBytes: 8 * gibibyte,
  purpose: "member",
};

const minimal = {
  cluster: "photos",
  secret: "env:WEIR_SECRET",
  store: { type: "file", path: "store" },
  nodes: [
    { id: "a", url: "http://127.0.0.1:7070" },
    { id: "b", url: "http://127.0.0.1:7071" },
  ],
};

function parse(changes: Readonly<Record<string, unknown>> = {}, overrides: Partial<ConfigContext> = {}): Config {
  return parseConfig(JSON.stringify({ ...minimal, ...changes }), { ...context, ...overrides });
}

/** The lines of the message that a file with `changes` is refused with, without their indent. */
function mistakesOf(changes: Readonly<Record<string, unknown>>, overrides: Partial<ConfigContext> = {}): string[] {
  try {
    parse(changes, overrides);
  } catch (error) {
    assert.ok(isOperatingError(error, "config_invalid"));
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

test("a file with the least in it gets every default", () => {
  const config = parse();
  assert.equal(config.replicas, 2);
  assert.deepEqual(config.store, { type: "file", path: "/etc/weir/store" });
  assert.deepEqual(config.nodes[0], { id: "a", url: "http://127.0.0.1:7070", weight: 1 });
  assert.equal(config.buffer.maxValueBytes, 4 * 1024 ** 2);
  assert.equal(config.flush.concurrency, 64);
  assert.equal(config.journal, "always");
  assert.equal(dataFolder(config, "a"), "/etc/weir/weir-data/a");
  assert.deepEqual([config.peers.suspectMs, config.peers.leaseMs], [800, 1_000]);
  assert.equal(config.log.level, "info");
});

test("the buffer and the cache are a quarter of the memory each unless the file says otherwise", () => {
  assert.equal(parse().buffer.dirtyBytes, 2 * gibibyte);
  assert.equal(parse().buffer.cacheBytes, 2 * gibibyte);
  assert.equal(parse({ buffer: { dirtyBytes: gibibyte } }).buffer.dirtyBytes, gibibyte);
  assert.equal(parse({ buffer: { dirtyBytes: gibibyte } }).buffer.refusedBytes, 0.75 * gibibyte);
  assert.equal(parse({}, { memoryBytes: 1024 * gibibyte }).buffer.cacheBytes, 16 * gibibyte);
});

test("a parsed configuration is frozen to its leaves", () => {
  const config = parse();
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.nodes) && Object.isFrozen(config.buffer));
  assert.ok(Object.isFrozen(config.nodes[0]) && Object.isFrozen(config.store));
});

test("a secret is read from the environment and never printed", () => {
  const config = parse();
  assert.equal(config.secret[0]?.reveal(), secretValue);
  for (const shown of [JSON.stringify(config), inspect(config, { depth: 9 })]) {
    assert.ok(!shown.includes(secretValue));
  }
});

test("a secret can lie in a file beside the configuration, without the line break at its end", (t) => {
  const folder = import.meta.dirname;
  const file = "config.test.ts";
  const config = parse({ secret: `file:${file}` }, { folder });
  t.assert.equal(config.secret[0]?.reveal(), readFileSync(`${folder}/${file}`, "utf8").replace(/\n$/, ""));
});

test("a client needs neither the secrets nor the memory of a member", () => {
  const config = parse({ buffer: { cacheBytes: 100 * gibibyte } }, { purpose: "client", env: {} });
  assert.throws(() => config.secret[0]?.reveal(), { code: "config_invalid" });
});

test("who only looks at the store needs its keys, and no more", () => {
  const store = { type: "s3", bucket: "photos", accessKeyId: "env:ID", secretAccessKey: "env:KEY" };
  const purpose = "store";
  const config = parse({ store, buffer: { cacheBytes: 100 * gibibyte } }, { purpose, env: { ID: "i", KEY: "k" } });
  assert.ok(config.store.type === "s3" && config.store.secretAccessKey?.reveal() === "k");
  assert.throws(() => config.secret[0]?.reveal(), { code: "config_invalid" });
  assert.match(
    mistakesOf({ store }, { purpose, env: { ID: "i" } }).join(),
    /^store\.secretAccessKey: .*KEY is not set/,
  );
});

test("every mistake of a file is told at once, each with its path and what would be right", () => {
  const mistakes = mistakesOf({
    cluster: "Photos!",
    secret: "hunter2",
    replicas: 0,
    nodes: [
      { id: "a", url: "ftp://127.0.0.1:7070" },
      { id: "a", url: "http://127.0.0.1" },
      { id: "c", url: "http://127.0.0.1:7071", zones: "x" },
      {},
    ],
    buffer: { waitMs: "2s", dirtybytes: 1 },
    log: { level: "loud" },
    transport: {},
  });
  const expected = [
    /^cluster: must be 1 to 63 of a-z/,
    /^secret: must be "env:NAME" or "file:PATH"/,
    /^nodes\[0\]\.url: must begin with http:\/\/ or https:\/\/$/,
    /^nodes\[1\]\.url: must end with the port/,
    /^nodes\[1\]\.id: is the same as nodes\[0\]\.id$/,
    /^nodes\[2\]\.zones: no such setting; did you mean zone\?$/,
    /^nodes\[3\]\.id: is missing \(/,
    /^nodes\[3\]\.url: is missing \(/,
    /^replicas: is too small: at least 1 \(/,
    /^buffer\.waitMs: is text, must be a .*number \(Milliseconds/,
    /^buffer\.dirtybytes: no such setting; did you mean dirtyBytes\?$/,
    /^log\.level: must be "debug" or "info" or "warn" or "error" \(/,
    /^transport: no such setting; there is cluster, secret, /,
  ];
  for (const pattern of expected)
    assert.ok(
      mistakes.some((line) => pattern.test(line)),
      `${pattern} in\n${mistakes.join("\n")}`,
    );
  assert.equal(mistakes.length, expected.length);
});

test("a literal secret in the file does not appear in the message that refuses it", () => {
  assert.ok(!mistakesOf({ secret: "hunter2" }).join().includes("hunter2"));
});

test("text that isn't JSON is refused with the place of the mistake and without quoting it", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{\n "secret": }', /line 2, column 12: expected a value$/],
    ['{\n "secret": "hunter2",\n}', /line 3, column 1: expected a name in double quotes/],
    ['{ "secret": "hunter2"\n "nodes": [] }', /line 2, column 2: expected a comma/],
    ["{ secret: 1 }", /line 1, column 3: expected a name in double quotes or }$/],
    ['{ "nodes": [1, ] }', /line 1, column 16: expected a value$/],
    ['{ "a": 1 } x', /line 1, column 12: expected the end of the file$/],
    ['{ "a" 1 }', /line 1, column 7: expected a colon$/],
    ["", /line 1, column 1: expected a value$/],
    ["// comment\n{}", /line 1, column 1: expected a value$/],
    ['{ "a": [1 }', /line 1, column 11: expected a comma/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseConfig(text, context),
      (error: Error) => message.test(error.message) && !inspect(error).includes("hunter2"),
      text,
    );
  }
});

test("the search for a mistake finds none in what is JSON", () => {
  for (const text of ['{"a":[1,-2.5e3,true,null,"\\u00e9\\n"],"b":{},"c":[]}', "[]", ' "x" ', "0"]) {
    assert.equal(jsonMistake(text), undefined, text);
  }
});

test("a missing or short secret is refused with how to make one", () => {
  assert.match(mistakesOf({}, { env: {} }).join(), /^secret: the environment variable WEIR_SECRET is not set/);
  assert.match(mistakesOf({}, { env: { WEIR_SECRET: "short" } }).join(), /^secret: is too short.*openssl rand/);
  assert.match(mistakesOf({ secret: "file:nowhere" }).join(), /^secret: \/etc\/weir\/nowhere can't be read \(ENOENT\)/);
});

test("two nodes with one url are refused with the path of the second", () => {
  const [node] = minimal.nodes;
  assert.deepEqual(mistakesOf({ nodes: [node, { ...node, id: "b" }] }), ["nodes[1].url: is the same as nodes[0].url"]);
});

test("a request can take effect at least for as long as its answer is waited for", () => {
  assert.deepEqual(mistakesOf({ flush: { lateEffectMs: 10_000 } }), []);
  assert.match(
    mistakesOf({ flush: { lateEffectMs: 9_999 } }).join(),
    /^flush\.lateEffectMs: is 9999, must be at least 10000 \(flush\.deadlineMs/,
  );
});

test("nodes that none of them owns a key are refused", () => {
  assert.match(mistakesOf({ nodes: [{ ...minimal.nodes[0], weight: 0 }] }).join(), /^nodes: all have weight 0/);
});

test("a buffer that holds fewer than four of the largest values is refused", () => {
  const maxValueBytes = 1_000;
  assert.deepEqual(mistakesOf({ buffer: { maxValueBytes, dirtyBytes: 4_000 } }), []);
  assert.match(
    mistakesOf({ buffer: { maxValueBytes, dirtyBytes: 3_999 } }).join(),
    /^buffer\.dirtyBytes: is 3999, must be at least 4000/,
  );
});

test("buffers that do not fit into the memory are refused", () => {
  assert.match(
    mistakesOf({ buffer: { maxValueBytes: 1_000, dirtyBytes: 4_000, refusedBytes: 4_001 } }).join(),
    /^buffer\.refusedBytes: is 4001, must be at most buffer\.dirtyBytes \(4000\)/,
  );
  assert.match(mistakesOf({ buffer: { cacheBytes: 6 * gibibyte } }).join(), /^buffer: dirtyBytes and cacheBytes are/);
});

test("a value must have room for the list of buckets, where clients create some", () => {
  const buffer = { maxValueBytes: 131_071 };
  assert.deepEqual(mistakesOf({ buffer, s3: { createBuckets: true } }), [
    "buffer.maxValueBytes: is 131071, must be at least 131072 with s3.createBuckets, since the list of created buckets is one value",
  ]);
  assert.deepEqual(mistakesOf({ buffer }), []);
  assert.deepEqual(mistakesOf({ buffer: { maxValueBytes: 131_072 }, s3: { createBuckets: true } }), []);
});

test("a value that no request could bring is refused as the largest", () => {
  const mistakes = mistakesOf({ http: { inFlightBytes: 1_000_000 } });
  assert.match(mistakes.join(), /^buffer\.maxValueBytes: is 4194304, must be at most http\.inFlightBytes/);
  const large = { inFlightBytes: 6_000_000, partBytes: 7_000_000, maxValueBytes: 60_000_000_001 };
  assert.match(mistakesOf({ large }).join(), /large\.partBytes: is 7000000,.*large\.maxValueBytes: is 60000000001,/);
});

test("the data folder is taken from the file's folder, and is not within the store's, which would serve it", () => {
  assert.equal(dataFolder(parse({ data: "../state" }), "b"), "/etc/state/b");
  assert.equal(dataFolder(parse({ data: "/var/lib/weir" }), "b"), "/var/lib/weir/b");
  for (const data of ["store", "store/data", "/etc/weir/store/..data"]) {
    assert.match(mistakesOf({ data }).join(), /^data: lies in the folder of the store, \/etc\/weir\/store, /, data);
  }
  assert.deepEqual(mistakesOf({ data: "store/data", journal: "off" }), []);
  assert.match(mistakesOf({ journal: "on" }).join(), /^journal: must be "always" or "off" \(/);
});

test("a loss that would be noticed between two pings, or a lease that ends before it, is refused", () => {
  const cases: readonly (readonly [Readonly<Record<string, number>>, RegExp | undefined])[] = [
    [{ pingMs: 300 }, /^peers\.suspectMs: is 800, must be at least 900 \(3 × peers\.pingMs/],
    [{ pingMs: 300, suspectMs: 900, leaseMs: 900 }, undefined],
    [{ suspectMs: 600, leaseMs: 599 }, /^peers\.leaseMs: is 599, must be at least 600 \(3 × .*600 \(peers\.suspectMs/s],
    [{ suspectMs: 1_001 }, /^peers\.leaseMs: is 1000, must be at least 1001 \(peers\.suspectMs/],
  ];
  for (const [peers, message] of cases) {
    const mistakes = mistakesOf({ peers }).join("\n");
    if (message === undefined) assert.equal(mistakes, "");
    else assert.match(mistakes, message);
  }
});

test("a request that would be given up during a failover is refused", () => {
  assert.deepEqual(mistakesOf({ request: { deadlineMs: 3_801 } }), []);
  assert.match(
    mistakesOf({ request: { deadlineMs: 3_800 } }).join(),
    /^request\.deadlineMs: is 3800, must be at least 3801 \(peers\.suspectMs \+ peers\.leaseMs \+ 2000 and more/,
  );
});

test("tokens are by name and hash, and every mistake in them is told with its place", () => {
  const hash = `sha256:${"0a".repeat(32)}`;
  const good = { name: "web", hash, allow: ["read", "write"], prefix: "photos/" };
  assert.deepEqual(parse({ auth: { tokens: [good] } }).auth, { tokens: [good], s3Keys: [] });
  const other = `sha256:${"0b".repeat(32)}`;
  const mistakes: readonly (readonly [auth: unknown, told: readonly RegExp[]])[] = [
    ["token", [/^auth: is text, must be "none" or an object \({ "tokens"/]],
    [5, [/^auth: is 5, must be /]],
    [{}, [/^auth: has neither tokens nor s3Keys/]],
    [{ tokens: [] }, [/^auth: has neither tokens nor s3Keys/]],
    [{ tokens: [good], token: 1 }, [/^auth\.token: no such setting; did you mean tokens\?/]],
    [
      { tokens: [{ ...good, hash: "weir_secret", allow: ["reed"], name: "a b", prefx: "x" }] },
      [
        /^auth\.tokens\[0\]\.name: must be 1 to 63/,
        /^auth\.tokens\[0\]\.hash: must be "sha256:" .* never the token itself/,
        /^auth\.tokens\[0\]\.allow\[0\]: must be "read" or "write" or "monitor" or "admin"/,
        /^auth\.tokens\[0\]\.prefx: no such setting; did you mean prefix\?/,
      ],
    ],
    [{ tokens: [good, { ...good, hash: other }] }, [/^auth\.tokens\[1\]\.name: is the same as auth\.tokens\[0\]/]],
    [{ tokens: [good, { ...good, name: "b" }] }, [/^auth\.tokens\[1\]\.hash: is the same as auth\.tokens\[0\]/]],
    [{ tokens: [{ ...good, allow: ["read", "admin"] }] }, [/^auth\.tokens\[0\]\.prefix: .* admin is for the whole/]],
  ];
  for (const [auth, told] of mistakes) {
    const lines = mistakesOf({ auth });
    assert.equal(lines.length, told.length, lines.join("\n"));
    for (const [index, expected] of told.entries()) assert.match(lines[index] ?? "", expected);
    assert.equal(lines.join().includes("weir_secret"), false);
  }
});

test("S3 keys have their secrets elsewhere, and names that no token has", () => {
  const key = { name: "backup", accessKeyId: "WEIRKEY", secret: "env:S3_SECRET", allow: ["read"] };
  const env = { WEIR_SECRET: secretValue, S3_SECRET: secretValue };
  const { auth } = parse({ auth: { s3Keys: [key] } }, { env });
  assert.ok(typeof auth === "object");
  assert.deepEqual(auth.tokens, []);
  assert.equal(auth.s3Keys[0]?.secret.reveal(), secretValue);
  assert.equal(inspect(auth, { depth: 9 }).includes(secretValue), false);
  // Commands that are no node need no secrets.
  for (const purpose of ["client", "store"] as const) assert.ok(parse({ auth: { s3Keys: [key] } }, { purpose }));
  const hash = `sha256:${"0a".repeat(32)}`;
  const mistakes: readonly (readonly [keys: readonly unknown[], told: RegExp])[] = [
    [[{ ...key, secret: "env:NONE" }], /^auth\.s3Keys\[0\]\.secret: .*NONE is not set/],
    [[{ ...key, secret: "env:SHORT" }], /^auth\.s3Keys\[0\]\.secret: is too short: .*weir token --s3/],
    [[{ ...key, secret: "hunter2" }], /^auth\.s3Keys\[0\]\.secret: must be "env:NAME"/],
    [[{ ...key, allow: ["admin"] }], /^auth\.s3Keys\[0\]\.allow\[0\]: must be "read" or "write"/],
    [[key, { ...key, name: "b" }], /^auth\.s3Keys\[1\]\.accessKeyId: is the same as auth\.s3Keys\[0\]/],
    [[key, { ...key, accessKeyId: "B12" }], /^auth\.s3Keys\[1\]\.name: is the same as auth\.s3Keys\[0\]/],
    [[{ ...key, name: "web" }], /^auth\.s3Keys\[0\]\.name: is the same as auth\.tokens\[0\]\.name/],
  ];
  for (const [s3Keys, told] of mistakes) {
    const tokens = [{ name: "web", hash, allow: ["read"] }];
    assert.match(mistakesOf({ auth: { tokens, s3Keys } }, { env: { ...env, SHORT: "short" } }).join(), told);
  }
});

test("without buckets in the file there is one for all keys, by the store's name or the cluster's", () => {
  const bucketsOf = (changes: Readonly<Record<string, unknown>>): unknown => parse(changes).s3.buckets;
  assert.deepEqual(bucketsOf({}), [{ name: "photos", prefix: "" }]);
  assert.deepEqual(bucketsOf({ store: { type: "s3", bucket: "real" } }), [{ name: "real", prefix: "" }]);
  const azure = { type: "azure", container: "box", account: "a" };
  assert.deepEqual(bucketsOf({ store: azure }), [{ name: "box", prefix: "" }]);
  const buckets = [{ name: "a", prefix: "a/" }, { name: "b" }];
  assert.deepEqual(bucketsOf({ s3: { buckets } }), [buckets[0], { name: "b", prefix: "" }]);
  const told = (s3: unknown): string => mistakesOf({ s3 }).join();
  assert.match(told({ buckets: [{ name: "A" }] }), /^s3\.buckets\[0\]\.name: must be 1 to 63/);
  assert.match(told({ buckets: [{ name: "a" }, { name: "a" }] }), /^s3\.buckets\[1\]\.name: is the same as/);
  assert.match(told({ buckets: [{ name: "a", prefix: "x/.weir/" }] }), /^s3\.buckets\[0\]\.prefix: must not have/);
  assert.match(told({ domain: "http://x" }), /^s3\.domain: must be a name of hosts/);
  const nodes = [{ id: "a", url: "http://n1.s3.test:7070" }];
  const inside = mistakesOf({ nodes, auth: "none", s3: { domain: "s3.test" } }).join();
  assert.match(inside, /^s3\.domain: has the node http:\/\/n1\.s3\.test:7070 in it/);
  assert.deepEqual(mistakesOf({ nodes, auth: "none", s3: { domain: "n1.s3.test" } }), []);
  assert.match(told({ port: 7070 }), /^s3\.port: is the port of the nodes already/);
  assert.match(told({ port: 7080 }), /^s3\.port: is one port for each node, and several nodes are on one host/);
});

test("of several secrets each is read, and a mistake names the one that has it", () => {
  const env = { NEW: "fedcba9876543210", OLD: secretValue };
  const config = parse({ secret: ["env:NEW", "env:OLD"] }, { env });
  assert.deepEqual(
    config.secret.map((each) => each.reveal()),
    [env.NEW, env.OLD],
  );
  assert.match(mistakesOf({ secret: ["env:NEW", "env:NONE"] }, { env }).join(), /^secret\[1\]: .*NONE is not set/);
  assert.match(mistakesOf({ secret: [] }).join(), /^secret: is too short: at least 1/);
  assert.match(mistakesOf({ secret: ["hunter2"] }).join(), /^secret\[0\]: must be "env:NAME"/);
  assert.match(mistakesOf({ secret: 5 }).join(), /^secret: is 5/);
});

test("urls with https need tls, and with tls all urls have it; its paths are taken from the file's folder", () => {
  const tls = { cert: "node.pem", key: "/etc/ssl/node.key" };
  const secure = minimal.nodes.map((node) => ({ ...node, url: node.url.replace("http:", "https:") }));
  const config = parse({ tls, nodes: secure });
  assert.deepEqual(config.tls, { cert: "/etc/weir/node.pem", key: "/etc/ssl/node.key", warnDays: 14 });
  assert.equal(listenAddress(config, config.nodes[0] as Config["nodes"][number]).port, 7070);
  assert.deepEqual(mistakesOf({ tls }), [
    "nodes[0].url: must begin with https://, since there is tls",
    "nodes[1].url: must begin with https://, since there is tls",
  ]);
  assert.match(
    mistakesOf({ nodes: secure }).join("\n"),
    /^nodes\[0\]\.url: begins with https:\/\/, so there must be tls/,
  );
  assert.deepEqual(
    mistakesOf({ tls: { cert: "a" }, nodes: secure }).map((line) => line.split(" (")[0]),
    ["tls.key: is missing"],
  );
});

test("nodes that other hosts can reach need it to be written that there is no authentication", () => {
  const nodes = [{ id: "a", url: "http://10.0.0.1:7070" }];
  assert.match(
    mistakesOf({ nodes }).join(),
    /^auth: is missing, and other hosts can reach http:\/\/10\.0\.0\.1:7070: make a token/,
  );
  assert.match(
    mistakesOf({ listen: { host: "0.0.0.0" } }).join(),
    /^auth: is missing, and other hosts can reach 0\.0\.0\.0: make/,
  );
  assert.deepEqual(mistakesOf({ nodes, auth: "none" }), []);
  for (const host of ["localhost", "127.0.0.2", "[::1]"]) {
    assert.deepEqual(mistakesOf({ nodes: [{ id: "a", url: `http://${host}:7070` }] }), [], host);
  }
});

test("a store's prefix has nothing of weir's own in it, where another cluster keeps its view", () => {
  for (const place of [
    { type: "s3", bucket: "photos" },
    { type: "azure", container: "photos" },
  ]) {
    assert.deepEqual(mistakesOf({ store: { ...place, prefix: "team/.weird/" } }), []);
    assert.match(
      mistakesOf({ store: { ...place, prefix: "team/.weir/x" } }).join(),
      /store.prefix: must not have \.weir\//,
    );
  }
});

test("an S3 store needs both keys or none, and takes usual defaults with an endpoint", () => {
  const store = { type: "s3", bucket: "photos", endpoint: "http://127.0.0.1:9000" };
  const config = parse({ store });
  assert.deepEqual(config.store, { ...store, prefix: "", region: "us-east-1", forcePathStyle: true });
  assert.match(mistakesOf({ store: { ...store, accessKeyId: "env:WEIR_SECRET" } }).join(), /^store: must have both/);
  const withKeys = parse({ store: { ...store, accessKeyId: "env:WEIR_SECRET", secretAccessKey: "env:WEIR_SECRET" } });
  assert.ok(withKeys.store.type === "s3" && withKeys.store.secretAccessKey?.reveal() === secretValue);
});

test("a node finds itself by option, then by environment, then by its address", () => {
  const config = parse({ auth: "none", nodes: [minimal.nodes[0], { id: "b", url: "http://10.0.0.2:7070" }] });
  const hints = { env: {}, addresses: ["10.0.0.2", "fe80::1"] };
  assert.equal(findOwnNode(config, hints).id, "b");
  assert.equal(findOwnNode(config, { ...hints, env: { WEIR_NODE: "a" } }).id, "a");
  assert.equal(findOwnNode(config, { ...hints, env: { WEIR_NODE: "a" }, node: "b" }).id, "b");
});

test("a node that can't tell which it is says how to tell it", () => {
  const config = parse();
  const hints = { env: {}, addresses: ["127.0.0.1"] };
  assert.throws(() => findOwnNode(config, hints), { message: /urls of a, b all name this host: .*--node ID/ });
  assert.throws(() => findOwnNode(config, { ...hints, addresses: [] }), { message: /no node's url names.*--node ID/ });
  assert.throws(() => findOwnNode(config, { ...hints, node: "z" }), { message: /no node "z"; the nodes are a, b/ });
});

test("a node listens on the address in its url, on all if that is a name, or where the file says", () => {
  const nodes = [
    { id: "a", url: "http://10.0.0.1:7070" },
    { id: "b", url: "http://weir-b:7071" },
  ];
  const config = parse({ auth: "none", nodes });
  const listens = (from: Config): unknown[] => from.nodes.map((node) => listenAddress(from, node));
  assert.deepEqual(listens(config), [
    { host: "10.0.0.1", port: 7070 },
    { host: undefined, port: 7071 },
  ]);
  const moved = parse({ auth: "none", nodes, listen: { host: "::", port: 80 } });
  assert.deepEqual(listens(moved), [
    { host: "::", port: 80 },
    { host: "::", port: 80 },
  ]);
});

test("every setting has a description, and a default unless it is required or may be left out", () => {
  const settings = listSettings();
  assert.ok(settings.length > 40);
  assert.deepEqual(
    settings.filter((setting) => !setting.description.endsWith(".")),
    [],
  );
  const open = settings.filter((setting) => !setting.required && setting.fallback === undefined);
  assert.deepEqual(
    open.map((setting) => setting.path),
    [
      "store.endpoint",
      "store.accessKeyId",
      "store.secretAccessKey",
      "store.accountKey",
      "store.connectionString",
      "nodes[].zone",
      "auth",
      "auth.tokens[].prefix",
      "auth.s3Keys[].prefix",
      "tls.clientCa",
      "s3.domain",
      "s3.port",
    ],
  );
});

test("a setting's allowed values are told with their unit, those of each kind of store too", () => {
  const allowed = new Map(listSettings().map((setting) => [setting.path, setting.allowed]));
  const paths = [
    "replicas",
    "flush.delayMs",
    "buffer.dirtyBytes",
    "journal",
    "s3.createBuckets",
    "auth.tokens[].allow",
  ];
  assert.deepEqual(
    paths.map((path) => allowed.get(path)),
    [
      "1 to 8",
      "0 to 86,400,000 ms",
      "1 or more, in bytes",
      '`"always"`, `"off"`',
      "`true`, `false`",
      'some of `"read"`, `"write"`, `"monitor"`, `"admin"`',
    ],
  );
  assert.equal(allowed.get("store.type"), '`"s3"`, `"azure"`, `"file"`');
  assert.equal(allowed.get("store.prefix"), '0 to 512 characters; for `"azure"` 0 to 256 characters');
});

test("the example configuration is right but for its token, which is to be replaced", () => {
  const text = readFileSync(`${import.meta.dirname}/../../../cluster.example.json`, "utf8");
  const env = { WEIR_SECRET: secretValue, WEIR_S3_ACCESS_KEY_ID: "id", WEIR_S3_SECRET_ACCESS_KEY: "key" };
  const mistake =
    /has a mistake:\n {2}auth\.tokens\[0\]\.hash: is that of the example, which lets nobody in: make a token with "weir token"/;
  assert.throws(() => parseConfig(text, { ...context, env }), { code: "config_invalid", message: mistake });
  const replaced = text.replace(placeholderHash, hashToken("a token of its own"));
  assert.equal(parseConfig(replaced, { ...context, env }).nodes.length, 3);
});

/** From cluster.json to the parts of a node: what is set there is what they get. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { largestBufferedBytes } from "../../src/config/buffer-schema.ts";
import { type Config, type NodeConfig, parseConfig } from "../../src/config/config.ts";
import { defaultHttpSettings, type HttpSettings } from "../../src/http/server/http-settings.ts";
import { defaultLinkSettings } from "../../src/network/link-settings.ts";
import { httpSettings, linkSettings, memberSettings, storeSettings } from "../../src/node-settings.ts";

const minimal = {
  cluster: "photos",
  secret: "env:SECRET",
  auth: "none",
  store: { type: "file", path: "store" },
  nodes: [
    { id: "a", url: "http://a.example:7070" },
    { id: "b", url: "http://10.0.0.1:7071" },
  ],
};

function parse(changes: Readonly<Record<string, unknown>> = {}): Config {
  return parseConfig(JSON.stringify({ ...minimal, ...changes }), {
    fileName: "cluster.json",
    folder: "/etc/weir",
    env: { SECRET: "0123456789abcdef", KEY: "the-key", OTHER: "the-other" },
    memoryBytes: 8 * 1024 ** 3,
    purpose: "member",
  });
}

test("a node serves as many connections as files that may be open leave room for, and none with too few", () => {
  const config = parse({
    flush: { concurrency: 100 },
    large: { uploads: 10, downloads: 20 },
    http: { connections: 2_000 },
  });
  const node = config.nodes[0] as NodeConfig;
  // 4 for each flush, 64 to read, 3 for each upload, 1 for each download, 4 for each node, 64 others; 256 connections
  // beyond those that are served.
  const others = 400 + 64 + 30 + 20 + 8 + 64 + 256;
  assert.equal(httpSettings(config, node).connections, 2_000);
  assert.equal(httpSettings(config, node, others + 2_000).connections, 2_000);
  assert.equal(httpSettings(config, node, others + 1_999).connections, 1_999);
  assert.equal(httpSettings(config, node, others + 16).connections, 16);
  assert.equal(httpSettings(config, node, others + 16).requests, 16, "and as many requests");
  assert.throws(() => httpSettings(config, node, others + 15), {
    code: "config_invalid",
    message: /may have 857 files and sockets open, and needs 858 at least/,
  });
});

test("a node's member gets what is set", () => {
  const { stopMs, admission, journaled, flush, operationMs } = memberSettings(
    parse({
      journal: "off",
      buffer: { waitMs: 123, dirtyBytes: 100_000_000 },
      flush: { stopMs: 4_321, concurrency: 3, retryMinMs: 55, retryMaxMs: 5_555, delayMs: 7 },
      request: { deadlineMs: 6_000 },
    }),
  );
  assert.deepEqual(
    { stopMs, admission, journaled, flush, operationMs },
    {
      stopMs: 4_321,
      admission: { dirtyBytes: 100_000_000, refusedBytes: 75_000_000, waitMs: 123 },
      journaled: false,
      flush: {
        delayMs: 7,
        // It begins with no more than there may be.
        pace: { initialConcurrency: 3, maxConcurrency: 3 },
        backoff: { minMs: 55, maxMs: 5_555 },
      },
      operationMs: 6_000,
    },
  );
  assert.equal(memberSettings(parse()).journaled, true);
});

test("a node whose url has a name listens on every address of its host, and one with an address on that", () => {
  const config = parse();
  const [a, b] = config.nodes as readonly [NodeConfig, NodeConfig];
  assert.deepEqual([httpSettings(config, a).host, httpSettings(config, a).port], [undefined, 7070]);
  assert.deepEqual([httpSettings(config, b).host, httpSettings(config, b).port], ["10.0.0.1", 7071]);
  const local = parse({ nodes: [{ id: "a", url: "http://localhost:7070" }] });
  assert.equal(httpSettings(local, local.nodes[0] as NodeConfig).host, "localhost");
});

test("a connection is not cut for its silence while a request on it may still be under way", () => {
  const config = parse({ flush: { deadlineMs: 60_000 }, large: { idleMs: 30_000 } });
  const { stallMs } = httpSettings(config, config.nodes[0] as NodeConfig);
  // Its last part, and its completion, may take a deadline of the store's each.
  assert.ok(stallMs > defaultHttpSettings.stallMs && stallMs > 2 * 60_000 + config.request.deadlineMs, String(stallMs));
  for (const patience of [
    { large: { idleMs: 600_000 } },
    { http: { bodyTimeoutMs: 600_000 } },
    { http: { answerTimeoutMs: 600_000 } },
  ]) {
    const patient = parse(patience);
    assert.ok(httpSettings(patient, patient.nodes[0] as NodeConfig).stallMs > 600_000, JSON.stringify(patience));
  }
});

test("links take the largest values that any node may hold, whatever this one's own limit is", () => {
  const { receive, redialMinMs, redialMaxMs, maxQueueBytes, maxInFlight } = linkSettings(
    parse({
      buffer: { maxValueBytes: 1_000 },
      peers: { redialMinMs: 60, redialMaxMs: 1_234, maxQueueBytes: 40_000_000, maxInFlight: 99 },
    }),
  );
  assert.equal(receive.payloadBytes, largestBufferedBytes);
  assert.ok(receive.reassemblyBytes >= largestBufferedBytes);
  assert.deepEqual([redialMinMs, redialMaxMs, maxQueueBytes, maxInFlight], [60, 1_234, 40_000_000, 99]);
  const large = linkSettings(parse({ buffer: { maxValueBytes: largestBufferedBytes, dirtyBytes: 1024 ** 3 } }));
  assert.equal(large.receive.reassemblyBytes, 2 * largestBufferedBytes);
});

test("a store gets its secrets and everything else that is set, and connections for all that may be under way", () => {
  const store = {
    type: "s3",
    bucket: "photos",
    prefix: "p/",
    region: "eu-central-1",
    endpoint: "http://127.0.0.1:9000",
    forcePathStyle: true,
    accessKeyId: "env:KEY",
    secretAccessKey: "env:OTHER",
  };
  const { connections, ...rest } = storeSettings(
    parse({ store, flush: { concurrency: 10 }, large: { uploads: 3, downloads: 5 } }),
  ) as { connections: number };
  assert.deepEqual(rest, { ...store, accessKeyId: "the-key", secretAccessKey: "the-other" });
  const fewer = storeSettings(parse({ store, flush: { concurrency: 10 }, large: { uploads: 1, downloads: 1 } }));
  assert.ok("connections" in fewer && connections >= fewer.connections + 2 + 4);
});

/** Every setting of a member, each of another value: whatever is mixed up or scaled shows. */
const everything = {
  replicas: 3,
  request: { deadlineMs: 24_001, limit: 4_002 },
  journal: "off",
  buffer: {
    dirtyBytes: 100_003_000,
    refusedBytes: 80_031_000,
    waitMs: 1_004,
    maxDirtyAgeMs: 900_005,
    cacheBytes: 60_006_000,
    maxValueBytes: 2_007_000,
  },
  large: {
    maxValueBytes: 1_000_008_000,
    uploads: 9,
    downloads: 10,
    partBytes: 6_011_000,
    inFlightBytes: 120_012_000,
    leftoverMs: 4_000_013,
    idleMs: 30_014,
  },
  flush: {
    delayMs: 15,
    deadlineMs: 7_016,
    lateEffectMs: 700_016,
    concurrency: 17,
    retryMinMs: 118,
    retryMaxMs: 9_019,
    stopMs: 20_020,
  },
  peers: {
    pingMs: 221,
    suspectMs: 922,
    leaseMs: 1_123,
    silenceMs: 3_024,
    handshakeMs: 3_025,
    redialMinMs: 56,
    redialMaxMs: 2_027,
    maxQueueBytes: 32_028_000,
    maxInFlight: 8_029,
    viewCheckMs: 59_030,
  },
};

test("each setting of a member is the one of its name, in its unit", () => {
  const { idleMs: _ofHttp, ...large } = everything.large;
  assert.deepEqual(memberSettings(parse(everything)), {
    cluster: "photos",
    replicas: 3,
    flushDeadlineMs: 7_016,
    lateEffectMs: 700_016,
    storeName: undefined,
    leaseMs: 1_123,
    suspectMs: 922,
    admission: { dirtyBytes: 100_003_000, refusedBytes: 80_031_000, waitMs: 1_004 },
    maxDirtyAgeMs: 900_005,
    journaled: false,
    cacheBytes: 60_006_000,
    maxValueBytes: 2_007_000,
    large: { ...large, ...ofLarge(memberSettings(parse(everything))) },
    flush: {
      delayMs: 15,
      pace: { initialConcurrency: 8, maxConcurrency: 17 },
      backoff: { minMs: 118, maxMs: 9_019 },
    },
    operationMs: 24_001,
    pingMs: 221,
    slices: { items: 1_000, pauseMs: 0 },
    stopMs: 20_020,
    viewCheckMs: 59_030,
  });
});

/** The group as a whole comes from the file: what else is in it is not the member's. */
function ofLarge({ large }: ReturnType<typeof memberSettings>): object {
  return "idleMs" in large ? { idleMs: large.idleMs } : {};
}

test("each setting of the links is the one of its name, in its unit", () => {
  const { receive: _receive, ...settings } = linkSettings(parse(everything));
  const { pingMs: _ping, suspectMs: _suspect, leaseMs: _lease, viewCheckMs: _viewCheck, ...links } = everything.peers;
  const { receive: _default, ...others } = defaultLinkSettings;
  assert.deepEqual(settings, { ...others, ...links });
});

test("each setting of the HTTP server is the one of its name, in its unit", () => {
  const http = {
    connections: 11_031,
    inFlightBytes: 120_032_000,
    maxHeaderBytes: 16_033,
    maxListKeys: 934,
    headersTimeoutMs: 14_035,
    bodyTimeoutMs: 50_036,
    answerTimeoutMs: 50_037,
    unreadBytes: 110_038_000,
    drainMs: 4_039,
    finishMs: 9_040,
    keepAliveMs: 64_041,
    leastBytesPerSecond: 4_042,
  };
  const config = parse({ ...everything, http, listen: { host: "10.0.0.9", port: 8_042 } });
  const { stallMs, cors: _cors, ...settings } = httpSettings(config, config.nodes[0] as NodeConfig);
  assert.ok(stallMs > 0);
  const { stallMs: _stall, cors: _defaultCors, ...others } = defaultHttpSettings as HttpSettings;
  assert.deepEqual(settings, {
    ...others,
    ...http,
    host: "10.0.0.9",
    port: 8_042,
    maxValueBytes: 2_007_000,
    maxStreamBytes: 1_000_008_000,
    uploads: 9,
    downloads: 10,
    uploadBytes: 120_012_000,
    partBytes: 6_011_000,
    requests: 4_002,
    bodyIdleMs: 30_014,
  });
});

test("a store in Azure, or in a folder, gets what is set for it", () => {
  const azure = { type: "azure", container: "photos", prefix: "p/", account: "acc", accountKey: "env:KEY" };
  const { connections, ...rest } = storeSettings(parse({ ...everything, store: azure })) as { connections: number };
  assert.deepEqual(plain(rest), { ...azure, accountKey: "the-key" });
  assert.ok(connections >= everything.flush.concurrency + everything.large.uploads + everything.large.downloads);
  assert.deepEqual(storeSettings(parse({ store: { type: "file", path: "store" } })), {
    type: "file",
    path: "/etc/weir/store",
  });
});

/** Without what is undefined. */
function plain(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}

/**
 * What a node exposes, of figures that are all different: each measure tells its own, in the unit that it is named
 * after.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Grant } from "../../../src/access/grant.ts";
import { Histogram } from "../../../src/base/histogram.ts";
import type { Exchange } from "../../../src/http/server/exchange.ts";
import { HttpMetrics } from "../../../src/http/server/metrics.ts";
import { NodeShares } from "../../../src/http/server/node-shares.ts";
import { type MemberGauges, noFigures } from "../../../src/member/admin/status.ts";
import { MemberMetrics } from "../../../src/member/metrics.ts";
import { exposeNode } from "../../../src/metrics/node-metrics.ts";
import { type StoreMetrics, StoreOperationMetrics, storeOperations } from "../../../src/store/metered-store.ts";
import { parseExposition } from "../../harness/exposition.ts";
import { clusterStatus, memberStatus } from "../../harness/status-fixtures.ts";

const gauges: MemberGauges = {
  ...noFigures,
  dirtyBytes: 1_001,
  dirtyKeys: 1_002,
  cacheBytes: 1_003,
  oldestDirtyMs: 4_000,
  failingKeys: 1_005,
  refusedKeys: 1_006,
  refusedBytes: 2_000,
  refusedRoomBytes: 1_013,
  refusedBytesOf: new Map([
    ["token writer", 1_500],
    ["10.0.0.1", 300],
  ]),
  slowing: true,
  waitingBytes: 1_007,
  flushesUnderWay: 1_008,
  flushConcurrency: 1_009,
  storeFailingMs: 10_000,
  lateKeys: 1_011,
  heldKeys: 1_012,
};

/** With downloads of a token, connections of two addresses, and a refusal and a loss of each. */
function sharesInUse(): NodeShares {
  const bytes = { inFlightBytes: 101, unreadBytes: 102, uploadBytes: 103 };
  const shares = new NodeShares({ ...bytes, uploads: 104, downloads: 3, requests: 105, listings: 106, connections: 5 });
  const exchangeOf = (token: string): Exchange =>
    ({ grant: new Grant("", [], "", token), request: { socket: {} } }) as unknown as Exchange;
  for (const amount of [1, 2, 9]) {
    const share = shares.take("downloads", exchangeOf("writer"), amount, () => {
      share?.release();
      return true;
    });
  }
  shares.take("downloads", exchangeOf("other"), 1);
  shares.takeFor("connections", "10.0.0.1", 3);
  shares.takeFor("connections", "10.0.0.2", 1);
  return shares;
}

function exposed(isMember: () => boolean) {
  const member = new MemberMetrics();
  Object.assign(member.flushes, { begun: 21, repeated: 22 });
  Object.assign(member.views, { adopted: 23, dropped: 24 });
  Object.assign(member.refusals, { full: 25, age: 26, refused: 32 });
  Object.assign(member.reads, { buffer: 27, cache: 28, store: 29 });
  member.flushFailed("store_throttled");
  const store = Object.fromEntries(storeOperations.map((name) => [name, new StoreOperationMetrics()]));
  const groupSeconds = new Histogram([1, 2, 3]);
  for (const seconds of [0.5, 1.5, 1.5, 2.5, 9]) groupSeconds.observe(seconds);
  const lease = { leaseMs: 0, settled: false, awaited: ["x", "y"], epoch: 31 };
  return exposeNode({
    version: "1",
    status: () => clusterStatus([memberStatus("a", { share: 0.25 }), memberStatus("b"), memberStatus("c")], lease),
    isReady: () => false,
    member,
    gauges: () => (isMember() ? gauges : undefined),
    http: { metrics: new HttpMetrics(), connections: 41, shares: sharesInUse() },
    store: store as unknown as StoreMetrics,
    journals: {
      latest: {
        metrics: { groupSeconds, groupBytes: new Histogram([1]), diskBytes: 51, liveBytes: 52 },
        lagMs: 5_000,
      },
      limitBytes: 53,
      freeBytes: 54,
    },
    journalFailures: () => 55,
    isJournalFailed: () => true,
    peers: () => [
      { id: "b", linked: true, queuedBytes: 61, inFlight: 62 },
      { id: "c", linked: false, queuedBytes: 0, inFlight: 0 },
    ],
    limits: { dirtyBytes: 71, cacheBytes: 72 },
    certificateExpires: () => new Date(81_000),
  });
}

test("each measure tells its own figure", async () => {
  const exposition = exposed(() => true);
  // What only grows must not grow by being looked at.
  await exposition.scrape();
  const { text } = await exposition.scrape();
  const told: Record<string, number> = {};
  for (const { samples } of parseExposition(text).values()) {
    for (const [series, { value }] of samples) {
      if (series.startsWith("weir_") && !/^weir_(?:build|http|store_req|flush_lag|repl|journal_group)/.test(series))
        told[series] = value;
    }
  }
  assert.deepEqual(told, {
    "weir_ready{}": 0,
    "weir_tls_certificate_expiry_timestamp_seconds{}": 81,
    "weir_share_capacity{resource=body_bytes}": 101,
    "weir_share_capacity{resource=unread_bytes}": 102,
    "weir_share_capacity{resource=downloads}": 3,
    "weir_share_capacity{resource=uploads}": 104,
    "weir_share_capacity{resource=upload_bytes}": 103,
    "weir_share_capacity{resource=requests}": 105,
    "weir_share_capacity{resource=listings}": 106,
    "weir_share_capacity{resource=connections}": 5,
    "weir_share_used{resource=downloads,token=writer}": 1,
    "weir_share_used{resource=downloads,token=other}": 1,
    "weir_share_used{resource=connections,token=}": 4,
    "weir_share_refused_total{resource=downloads,token=writer}": 1,
    "weir_share_given_up_total{resource=downloads,token=writer}": 1,
    "weir_buffer_dirty_bytes{}": 1_001,
    "weir_buffer_dirty_keys{}": 1_002,
    "weir_buffer_limit_bytes{}": 71,
    "weir_buffer_waiting_bytes{}": 1_007,
    "weir_buffer_oldest_dirty_age_seconds{}": 4,
    "weir_buffer_slowing{}": 1,
    "weir_buffer_refused_writes_total{reason=full}": 25,
    "weir_buffer_refused_bytes{token=writer}": 1_500,
    "weir_buffer_refused_bytes{token=}": 500,
    "weir_buffer_refused_room_bytes{}": 1_013,
    "weir_buffer_refused_writes_total{reason=age}": 26,
    "weir_buffer_refused_writes_total{reason=refused}": 32,
    "weir_cache_bytes{}": 1_003,
    "weir_cache_limit_bytes{}": 72,
    "weir_reads_total{source=buffer}": 27,
    "weir_reads_total{source=cache}": 28,
    "weir_reads_total{source=store}": 29,
    "weir_flushes_total{}": 21,
    "weir_flush_retries_total{}": 22,
    "weir_flush_failures_total{code=store_throttled}": 1,
    "weir_flushes_in_flight{}": 1_008,
    "weir_flush_concurrency{}": 1_009,
    "weir_flush_failing_keys{}": 1_005,
    "weir_flush_refused_keys{}": 1_006,
    "weir_flush_held_keys{}": 1_012,
    "weir_flush_late_keys{}": 1_011,
    "weir_store_failing_seconds{}": 10,
    "weir_view_record_wrong{}": 0,
    "weir_lease_held{}": 0,
    "weir_lease_remaining_seconds{}": 0,
    "weir_view_epoch{}": 31,
    "weir_view_settled{}": 0,
    "weir_view_members{}": 3,
    "weir_view_majority_lost{}": 0,
    "weir_view_share_ratio{}": 0.25,
    "weir_view_awaited_nodes{}": 2,
    "weir_view_changes_total{}": 23,
    "weir_view_drops_total{}": 24,
    "weir_peer_link_up{peer=b}": 1,
    "weir_peer_link_up{peer=c}": 0,
    "weir_peer_queue_bytes{peer=b}": 61,
    "weir_peer_queue_bytes{peer=c}": 0,
    "weir_peer_requests_in_flight{peer=b}": 62,
    "weir_peer_requests_in_flight{peer=c}": 0,
    "weir_journal_write_duration_seconds_bucket{le=1}": 1,
    "weir_journal_write_duration_seconds_bucket{le=2}": 3,
    "weir_journal_write_duration_seconds_bucket{le=3}": 4,
    "weir_journal_write_duration_seconds_bucket{le=+Inf}": 5,
    "weir_journal_write_duration_seconds_sum{}": 15,
    "weir_journal_write_duration_seconds_count{}": 5,
    "weir_journal_lag_seconds{}": 5,
    "weir_journal_disk_bytes{}": 51,
    "weir_journal_live_bytes{}": 52,
    "weir_journal_limit_bytes{}": 53,
    "weir_journal_free_bytes{}": 54,
    "weir_journal_failures_total{}": 55,
    "weir_journal_failed{}": 1,
  });
});

test("what a node has as a member only is not told, not even as 0, while it is none", async () => {
  let isMember = true;
  const exposition = exposed(() => isMember);
  assert.match((await exposition.scrape()).text, /^weir_buffer_dirty_bytes 1001$/m);
  isMember = false;
  const { text } = await exposition.scrape();
  assert.doesNotMatch(text, /^weir_buffer_dirty_bytes /m);
  assert.match(text, /^weir_buffer_limit_bytes 71$/m);
});

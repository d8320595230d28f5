/**
 * What a node exposes: each measure with its name, its meaning and where it is read. Names follow Prometheus'
 * conventions: the base unit at the end, `_total` for values that only grow. A client never chooses a label's value:
 * peers, routes, statuses and error codes are few.
 */

import type { Histogram } from "../base/histogram.ts";
import type { ClusterStatus } from "../core/status.ts";
import { isMajorityLost } from "../core/troubles.ts";
import { labelOf, type NodeShares, sharedNames } from "../http/server/node-shares.ts";
import type { HttpServer } from "../http/server.ts";
import type { JournalMetrics } from "../journal/file-journal.ts";
import type { MemberGauges } from "../member/admin/status.ts";
import type { MemberMetrics } from "../member/metrics.ts";
import type { PeerFigures } from "../network/http-network.ts";
import { type StoreMetrics, storeOperations, storeOutcomes } from "../store/metered-store.ts";
import { Exposition } from "./exposition.ts";

export interface NodeSources {
  readonly version: string;
  readonly status: () => ClusterStatus;
  readonly isReady: () => boolean;
  readonly member: MemberMetrics;
  /** Undefined while the node is no member. */
  readonly gauges: () => MemberGauges | undefined;
  readonly http: Pick<HttpServer, "metrics" | "connections" | "shares">;
  readonly store: StoreMetrics;
  /** Undefined without a journal. */
  readonly journals: JournalSources | undefined;
  /** How many journals have failed since the start, and whether the node waits for its disk. */
  readonly journalFailures: () => number;
  readonly isJournalFailed: () => boolean;
  readonly peers: () => readonly PeerFigures[];
  readonly limits: { readonly dirtyBytes: number; readonly cacheBytes: number };
  /** When the certificate in use expires. Undefined without TLS. */
  readonly certificateExpires: () => Date | undefined;
}

export interface JournalSources {
  /** The journal in use, or the last one that was. */
  readonly latest: { readonly metrics: JournalMetrics; readonly lagMs: number } | undefined;
  readonly limitBytes: number;
  /** Bytes that are free on the disk; undefined when the disk does not say. */
  readonly freeBytes: number | undefined;
}

export function exposeNode(sources: NodeSources): Exposition {
  const exposition = new Exposition();
  exposeBuild(exposition, sources);
  exposeRequests(exposition, sources);
  exposeBuffer(exposition, sources);
  exposeFlushing(exposition, sources);
  exposeStore(exposition, sources);
  exposeView(exposition, sources);
  exposePeers(exposition, sources);
  if (sources.journals) exposeJournal(exposition, sources.journals, sources);
  exposition.process();
  return exposition;
}

function exposeBuild(exposition: Exposition, { version, isReady, certificateExpires }: NodeSources): void {
  exposition.gauges("weir_build_info", "The release that runs.", ["version", "runtime"], () => [
    [{ version, runtime: process.version }, 1],
  ]);
  exposition.gauge("weir_ready", "Whether the node serves, as /readyz says.", () => Number(isReady()));
  const expiry = "When the certificate in use expires, in seconds since 1970; no series without TLS.";
  exposition.gauge("weir_tls_certificate_expiry_timestamp_seconds", expiry, () => {
    const expires = certificateExpires();
    return expires && expires.getTime() / 1_000;
  });
}

function exposeRequests(exposition: Exposition, { http }: NodeSources): void {
  const labels = ["route", "method", "status"];
  const help = "Requests of clients, by status; 499: the client went away before it had an answer.";
  exposition.counters("weir_http_requests_total", help, labels, function* () {
    for (const { route, method, metrics } of http.metrics.routes()) {
      for (const [status, count] of metrics.statuses) yield [{ route, method, status: String(status) }, count];
    }
  });
  const timed = "From a request's headers to its answer's; what is streamed, to its end.";
  exposition.histograms("weir_http_request_duration_seconds", timed, function* () {
    for (const { route, method, metrics } of http.metrics.routes()) yield [{ route, method }, metrics.seconds];
  });
  exposition.gauge("weir_http_connections", "Open connections of clients.", () => http.connections);
  exposeShares(exposition, http.shares);
}

/** A token's name is a label: they are few, and the configuration's. */
function exposeShares(exposition: Exposition, shares: NodeShares): void {
  const labels = ["resource", "token"];
  const capacity = "How much there is of what a node has little of, and callers share.";
  exposition.gauges("weir_share_capacity", capacity, ["resource"], function* () {
    for (const resource of sharedNames) yield [{ resource }, shares.capacity(resource)];
  });
  const used = "How much of that each token's holder has now; callers without a token are together, under no name.";
  exposition.gauges("weir_share_used", used, labels, function* () {
    for (const resource of sharedNames)
      for (const [token, amount] of shares.amounts(resource)) yield [{ resource, token }, amount];
  });
  const refused = "How often a caller was refused a share of it, since there was no room.";
  exposition.counters("weir_share_refused_total", refused, labels, function* () {
    for (const resource of sharedNames) {
      for (const [token, count] of shares.losses(resource).refused) yield [{ resource, token }, count];
    }
  });
  const givenUp = "How often a caller had to give up a share of it to another one that had less.";
  exposition.counters("weir_share_given_up_total", givenUp, labels, function* () {
    for (const resource of sharedNames) {
      for (const [token, count] of shares.losses(resource).givenUp) yield [{ resource, token }, count];
    }
  });
}

function exposeBuffer(exposition: Exposition, { gauges, limits, member }: NodeSources): void {
  const own = (name: string, help: string, read: (gauges: MemberGauges) => number): void =>
    exposition.gauge(name, help, () => {
      const now = gauges();
      return now && read(now);
    });
  own(
    "weir_buffer_dirty_bytes",
    "Bytes of values that are not in the store yet, own and others'.",
    (now) => now.dirtyBytes,
  );
  own(
    "weir_buffer_dirty_keys",
    "Keys with a value that is not in the store yet, own and others'.",
    (now) => now.dirtyKeys,
  );
  exposition.gauge("weir_buffer_limit_bytes", "The setting buffer.dirtyBytes.", () => limits.dirtyBytes);
  own("weir_buffer_waiting_bytes", "Bytes of writes that wait for room.", (now) => now.waitingBytes);
  own(
    "weir_buffer_oldest_dirty_age_seconds",
    "Age of the oldest value that is not in the store yet.",
    (now) => now.oldestDirtyMs / 1_000,
  );
  const slowing = "Whether writers wait because a value is older than buffer.maxDirtyAgeMs.";
  exposition.gauge("weir_buffer_slowing", slowing, () => {
    const now = gauges();
    return now && Number(now.slowing);
  });
  const refusedBytes =
    "Bytes in the buffer that the store refuses, of keys that the node serves, by who wrote them; no name: an address, or not known.";
  exposition.gauges("weir_buffer_refused_bytes", refusedBytes, ["token"], () => refusedBytesOf(gauges()));
  own(
    "weir_buffer_refused_room_bytes",
    "Bytes that such values may still take (buffer.refusedBytes less what is dirty).",
    (now) => now.refusedRoomBytes,
  );
  const refused = "Writes that got no room: 503 buffer_full (full, age, refused), or 507 refused_full (refused).";
  exposition.counters("weir_buffer_refused_writes_total", refused, ["reason"], () =>
    Object.entries(member.refusals).map(([reason, count]) => [{ reason }, count]),
  );
  own("weir_cache_bytes", "Bytes of values kept for reading once the store has them.", (now) => now.cacheBytes);
  exposition.gauge("weir_cache_limit_bytes", "The setting buffer.cacheBytes.", () => limits.cacheBytes);
  const reads = "Reads answered as the key's primary, by where the value was.";
  exposition.counters("weir_reads_total", reads, ["source"], () =>
    Object.entries(member.reads).map(([source, count]) => [{ source }, count]),
  );
  const commit = "From a write's version until all owners had it and it was visible.";
  exposition.histogram("weir_replication_duration_seconds", commit, member.commit);
}

/** By token; what is of addresses, or of nobody that is known, under no name. */
function* refusedBytesOf(gauges: MemberGauges | undefined): Generator<[{ token: string }, number]> {
  if (!gauges) return;
  const bytesOf = new Map([["", gauges.refusedBytes]]);
  for (const [holder, bytes] of gauges.refusedBytesOf) {
    const token = labelOf(holder);
    if (token === "") continue;
    bytesOf.set(token, bytes);
    bytesOf.set("", (bytesOf.get("") ?? 0) - bytes);
  }
  for (const [token, bytes] of bytesOf) yield [{ token }, bytes];
}

function exposeFlushing(exposition: Exposition, { gauges, member }: NodeSources): void {
  const { flushes, flushFailures, flushLag } = member;
  exposition.counter(
    "weir_flushes_total",
    "Attempts to flush a key: to bring its state to the store.",
    () => flushes.begun,
  );
  exposition.counter(
    "weir_flush_retries_total",
    "Attempts to flush a key after one that failed.",
    () => flushes.repeated,
  );
  exposition.counters(
    "weir_flush_failures_total",
    "Attempts to flush a key that failed, by error code.",
    ["code"],
    () => [...flushFailures].map(([code, count]) => [{ code }, count]),
  );
  const lag = "From when a key got a state that the store lacked until the store had one as new.";
  exposition.histogram("weir_flush_lag_seconds", lag, flushLag);
  exposition.gauge(
    "weir_flushes_in_flight",
    "Attempts to flush a key that are under way.",
    () => gauges()?.flushesUnderWay,
  );
  exposition.gauge(
    "weir_flush_concurrency",
    "Attempts to flush that may be under way at once, at the store's pace.",
    () => gauges()?.flushConcurrency,
  );
  exposition.gauge("weir_flush_failing_keys", "Keys whose last attempt failed.", () => gauges()?.failingKeys);
  exposition.gauge(
    "weir_flush_refused_keys",
    "Keys whose last attempt was refused by the store.",
    () => gauges()?.refusedKeys,
  );
  exposition.gauge(
    "weir_flush_held_keys",
    "Keys held back until an earlier request to the store can take effect no more.",
    () => gauges()?.heldKeys,
  );
  exposition.gauge(
    "weir_flush_late_keys",
    "Keys whose object a request without an answer may still change, until flush.lateEffectMs after it.",
    () => gauges()?.lateKeys,
  );
}

function exposeStore(exposition: Exposition, { store, gauges }: NodeSources): void {
  const labels = ["operation", "outcome"];
  const help = "Requests to the store; withheld: not sent, the lease was gone.";
  exposition.counters("weir_store_requests_total", help, labels, function* () {
    for (const operation of storeOperations) {
      for (const outcome of storeOutcomes) yield [{ operation, outcome }, store[operation].outcomes[outcome]];
    }
  });
  exposition.histograms("weir_store_request_duration_seconds", "How long requests to the store took.", () =>
    storeOperations.map((operation) => [{ operation }, store[operation].seconds]),
  );
  const failing = "For how long the store has failed every flush; 0 when the last one went well.";
  exposition.gauge("weir_store_failing_seconds", failing, () => {
    const now = gauges();
    return now && now.storeFailingMs / 1_000;
  });
}

function exposeView(exposition: Exposition, { status, member }: NodeSources): void {
  exposition.gauge("weir_view_record_wrong", "Whether the store does not have the view that the node goes by.", () =>
    Number(status().recordTrouble !== undefined),
  );
  exposition.gauge("weir_lease_held", "Whether the node may answer for its keys now.", () =>
    Number(status().leaseMs > 0),
  );
  exposition.gauge(
    "weir_lease_remaining_seconds",
    "How much longer the node may answer for its keys, unless the lease is confirmed again.",
    () => status().leaseMs / 1_000,
  );
  exposition.gauge("weir_view_epoch", "Number of the view that the node has adopted.", () => status().epoch);
  exposition.gauge("weir_view_settled", "Whether everything is where the view wants it.", () =>
    Number(status().settled),
  );
  exposition.gauge(
    "weir_view_members",
    "Members of the view that the node has adopted.",
    () => status().members.length,
  );
  const lost = "Whether the node cannot reach more than half of the nodes that own keys: nobody takes theirs over.";
  exposition.gauge("weir_view_majority_lost", lost, () => Number(isMajorityLost(status().members)));
  const share = "Part of all keys whose primary the node is.";
  exposition.gauge("weir_view_share_ratio", share, () => {
    const { self, members } = status();
    return members.find(({ id }) => id === self)?.share;
  });
  const awaited = "Nodes that are gone with what may be the only copies of some values: their keys are not served.";
  exposition.gauge("weir_view_awaited_nodes", awaited, () => status().awaited.length);
  exposition.counter("weir_view_changes_total", "Views that the node has adopted.", () => member.views.adopted);
  exposition.counter(
    "weir_view_drops_total",
    "Members that the node has dropped because they were silent.",
    () => member.views.dropped,
  );
}

function exposePeers(exposition: Exposition, { peers }: NodeSources): void {
  const perPeer = (name: string, help: string, read: (peer: PeerFigures) => number): void =>
    exposition.gauges(name, help, ["peer"], () => peers().map((peer) => [{ peer: peer.id }, read(peer)]));
  perPeer("weir_peer_link_up", "Whether there is a link to the peer.", ({ linked }) => Number(linked));
  perPeer("weir_peer_queue_bytes", "Bytes that wait to be sent to the peer.", ({ queuedBytes }) => queuedBytes);
  perPeer("weir_peer_requests_in_flight", "Requests to the peer without an answer.", ({ inFlight }) => inFlight);
}

function exposeJournal(
  exposition: Exposition,
  journals: JournalSources,
  { journalFailures, isJournalFailed }: NodeSources,
): void {
  const own = (name: string, help: string, read: (journal: NonNullable<JournalSources["latest"]>) => number): void =>
    exposition.gauge(name, help, () => journals.latest && read(journals.latest));
  const measured = (name: string, help: string, read: (metrics: JournalMetrics) => Histogram): void =>
    exposition.histograms(name, help, () => (journals.latest ? [[{}, read(journals.latest.metrics)]] : []));
  measured(
    "weir_journal_write_duration_seconds",
    "Writing and syncing a group of records.",
    ({ groupSeconds }) => groupSeconds,
  );
  measured("weir_journal_group_bytes", "Bytes of a group of records.", ({ groupBytes }) => groupBytes);
  const lag = "How long the oldest record has waited to be synced.";
  own("weir_journal_lag_seconds", lag, ({ lagMs }) => lagMs / 1_000);
  own("weir_journal_disk_bytes", "Bytes of the journal's files.", ({ metrics }) => metrics.diskBytes);
  const live = "Bytes in the journal's files that still count.";
  own("weir_journal_live_bytes", live, ({ metrics }) => metrics.liveBytes);
  exposition.gauge(
    "weir_journal_limit_bytes",
    "The most that the journal's files may take.",
    () => journals.limitBytes,
  );
  const free = "Bytes that are free on the disk of the data folder; no series when the disk does not say.";
  exposition.gauge("weir_journal_free_bytes", free, () => journals.freeBytes);
  const failed = "Whether the node takes no part, and waits for the disk of its data folder to work.";
  exposition.gauge("weir_journal_failed", failed, () => Number(isJournalFailed()));
  const failures = "Journals that have failed after they had worked.";
  exposition.counter("weir_journal_failures_total", failures, journalFailures);
}

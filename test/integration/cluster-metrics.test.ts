/** What a node of a real cluster answers at `/metrics`: the format as a scraper reads it, and figures that are true. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { TestCluster } from "../harness/cluster.ts";
import { type Family, parseExposition, sumOf } from "../harness/exposition.ts";
import { noPromtool, promtool } from "../harness/promtool.ts";
import { setStage } from "../harness/stage.ts";

const alerts = join(import.meta.dirname, "..", "..", "deploy", "alerts.yaml");

async function scrape(
  cluster: TestCluster,
  id: string,
): Promise<{ text: string; families: ReadonlyMap<string, Family> }> {
  const answer = await cluster.http.request(cluster.url(id), "GET", "/metrics");
  assert.equal(answer.status, 200);
  assert.match(answer.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
  assert.equal(answer.headers["cache-control"], "no-store");
  const text = answer.body.toString();
  return { text, families: parseExposition(text) };
}

describe("metrics of a cluster of three", () => {
  const stage = setStage(async (stack) => ({ cluster: stack.use(await TestCluster.start({ nodes: 3 })) }));

  test("every node's exposition is well formed before anything has happened and after requests of all kinds", async () => {
    const { cluster } = stage();
    for (const id of cluster.ids) await scrape(cluster, id);
    for (const path of ["/kv/x", "/kv/", "/get/x", "/readyz", "/cluster", "/nowhere", "/kv/%ff", "/cluster/leave"]) {
      await cluster.http.request(cluster.url("a"), "GET", path);
    }
    const { text, families } = await scrape(cluster, "a");
    assert.equal(sumOf(families, "weir_http_requests_total", { route: "other", status: "404" }), 1);
    assert.equal(sumOf(families, "weir_http_requests_total", { route: "/cluster/leave", status: "405" }), 1);
    for (const chosen of ["nowhere", "%ff"]) assert.ok(!text.includes(chosen), "what a client chose is no label");
    const head = await cluster.http.request(cluster.url("a"), "HEAD", "/metrics");
    assert.deepEqual([head.status, head.body.length], [200, 0]);
  });

  test("values that are put, read and flushed are counted where they were handled", async () => {
    const { cluster } = stage();
    const sum = async (name: string, labels: Record<string, string> = {}): Promise<number> => {
      const all = await Promise.all(cluster.ids.map((id) => scrape(cluster, id)));
      return all.reduce((total, { families }) => total + (sumOf(families, name, labels) ?? 0), 0);
    };
    const names = {
      puts: ["weir_http_requests_total", { route: "/kv/{key}", method: "PUT", status: "204" }],
      timed: ["weir_http_request_duration_seconds_count", { route: "/kv/{key}", method: "PUT" }],
      gets: ["weir_http_requests_total", { route: "/kv/{key}", method: "GET", status: "200" }],
      commits: ["weir_replication_duration_seconds_count", {}],
      reads: ["weir_reads_total", {}],
      flushes: ["weir_flush_lag_seconds_count", {}],
      writes: ["weir_store_requests_total", { operation: "write", outcome: "done" }],
      groups: ["weir_journal_write_duration_seconds_count", {}],
    } as const;
    const take = async (): Promise<Record<keyof typeof names, number>> => {
      const entries = Object.entries(names).map(async ([key, [name, labels]]) => [key, await sum(name, labels)]);
      return Object.fromEntries(await Promise.all(entries)) as Record<keyof typeof names, number>;
    };
    const before = await take();
    const count = 30;
    for (let n = 0; n < count; n++) {
      assert.equal((await cluster.put("a", `metrics/${n}`, "value")).status, 204);
      assert.equal((await cluster.get("b", `metrics/${n}`)).status, 200);
    }
    await cluster.untilFlushed();
    const after = await take();
    const grown = (key: keyof typeof names): number => after[key] - before[key];
    for (const key of ["puts", "timed", "gets", "commits", "reads", "flushes"] as const)
      assert.equal(grown(key), count, key);
    assert.ok(grown("writes") >= count, "each was written to the store");
    assert.ok(grown("groups") >= count, "each was journaled, on two nodes, some together");
    assert.equal(await sum("weir_buffer_dirty_keys"), 0);
    assert.equal(await sum("weir_flush_failing_keys"), 0);
  });

  test("view, lease and links are those that /cluster tells", async () => {
    const { cluster } = stage();
    const { epoch } = await cluster.status("a");
    const { families } = await scrape(cluster, "a");
    for (const [name, value] of Object.entries({
      weir_view_epoch: epoch,
      weir_view_settled: 1,
      weir_view_members: 3,
      weir_lease_held: 1,
      weir_ready: 1,
      weir_peer_link_up: 2,
    })) {
      assert.equal(sumOf(families, name), value, name);
    }
    const lease = sumOf(families, "weir_lease_remaining_seconds") ?? 0;
    assert.ok(lease > 0 && lease <= 1, `${lease} s`);
    assert.ok((sumOf(families, "process_resident_memory_bytes") ?? 0) > 10_000_000);
    assert.ok(families.has("nodejs_eventloop_lag_p99_seconds"));
  });

  test("promtool finds nothing to complain of in metrics of weir's own", { skip: noPromtool }, async () => {
    const { text } = await scrape(stage().cluster, "a");
    const { text: said } = promtool(["check", "metrics"], text);
    // It wants no "_bytes" of the runtime's per-space metrics and the like: those are the client's names.
    assert.deepEqual(
      said.split("\n").filter((line) => line.startsWith("weir_") || line.includes("error")),
      [],
    );
  });

  test("each metric that an alert watches is exposed", async () => {
    const { families } = await scrape(stage().cluster, "a");
    const named = new Set(readFileSync(alerts, "utf8").match(/\b(?:weir|process|nodejs)_[a-z0-9_]+/g));
    assert.ok(named.size > 8, [...named].join());
    for (const name of named) {
      assert.ok(families.has(name.replace(/_(?:bucket|sum|count)$/, "")) || families.has(name), name);
    }
  });
});

test("the alert rules are rules, as promtool reads them", { skip: noPromtool }, () => {
  const { ok, text } = promtool(["check", "rules", alerts]);
  assert.ok(ok, text);
});

/**
 * The alert rules of deploy/alerts.yaml, judged by Prometheus itself: which alerts fire in which hour of a cluster, and
 * which do not. Each case is a course of series, as the nodes would have told them.
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { root } from "../../harness/deployment.ts";
import { noPromtool, promtool } from "../../harness/promtool.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-alerts-"));
after(() => rmSync(folder, { recursive: true }));

const alerts = join(root, "deploy", "alerts.yaml");
/** Between two scrapes, in seconds. */
const scrapeSeconds = 15;

/** What a node tells, scrape by scrape, in promtool's notation: `1x4` is the value and four more of it. */
type Told = Readonly<Record<string, string>>;

/** The series of nodes of this job, by their names; labels of a metric stand behind its name. */
function seriesOf(nodes: Readonly<Record<string, Told>>): object[] {
  return Object.entries(nodes).flatMap(([instance, told]) =>
    Object.entries(told).map(([metric, values]) => {
      const [name = "", labels = ""] = metric.split(/[{}]/);
      const all = [`instance="${instance}"`, 'job="weir"', ...(labels === "" ? [] : [labels])].join(",");
      return { series: `${name}{${all}}`, values };
    }),
  );
}

/** Fails unless these alerts fire after so many minutes, each for so many instances, and no others. */
function assertFiring(
  nodes: Readonly<Record<string, Told>>,
  firing: Readonly<Record<string, Readonly<Record<string, number>>>>,
): void {
  const file = join(folder, "test.json");
  const looks = Object.entries(firing).map(([time, counts]) => ({
    expr: 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
    eval_time: time,
    exp_samples: Object.entries(counts).map(([alert, value]) => {
      const [alertname, severity] = alert.split(" ");
      return { labels: `{alertname="${alertname}", severity="${severity}"}`, value };
    }),
  }));
  const tests = [{ interval: `${scrapeSeconds}s`, input_series: seriesOf(nodes), promql_expr_test: looks }];
  writeFileSync(file, JSON.stringify({ rule_files: [alerts], evaluation_interval: `${scrapeSeconds}s`, tests }));
  const { ok, text } = promtool(["test", "rules", file]);
  assert.ok(ok, text);
}

const mebibyte = 1024 ** 2;
/** How many scrapes fit into an hour; a series that ends before has gone stale. */
const hour = 240;
const always = (value: number): string => `${value}x${hour}`;
const grows = (perScrape: number, from = 0): string => `${from}+${perScrape}x${hour}`;
const gone = `_x${hour}`;

/** A node that does well: it serves some requests and is asked for its health. */
const well: Told = {
  up: always(1),
  weir_ready: always(1),
  weir_view_epoch: always(5),
  weir_view_settled: always(1),
  weir_view_majority_lost: always(0),
  weir_view_awaited_nodes: always(0),
  weir_view_record_wrong: always(0),
  weir_view_drops_total: always(0),
  weir_journal_failed: always(0),
  weir_journal_free_bytes: always(8_000 * mebibyte),
  weir_journal_disk_bytes: always(100 * mebibyte),
  weir_journal_limit_bytes: always(3_000 * mebibyte),
  weir_buffer_oldest_dirty_age_seconds: always(1),
  weir_store_failing_seconds: always(0),
  process_start_time_seconds: always(1_000),
  'weir_http_requests_total{route="/kv/(key)",status="204"}': grows(15),
  'weir_http_requests_total{route="/readyz",status="200"}': grows(300),
};
/** A node that is off. */
const off: Told = { ...Object.fromEntries(Object.keys(well).map((name) => [name, gone])), up: always(0) };

describe("the alert rules", { skip: noPromtool }, () => {
  test("say nothing while all is well", () => {
    assertFiring({ a: well, b: well, c: well }, { "30m": {}, "59m": {} });
  });

  test("wake if no node is scraped: no other rule can fire then", () => {
    const unscraped = { up: `1x8 _x${hour}` };
    assertFiring({ a: unscraped, b: unscraped }, { "5m": {}, "15m": { "WeirNotScraped critical": 1 } });
    assertFiring({ a: well, b: unscraped }, { "15m": {} });
  });

  test("warn of one node lost, and do not wake for it: the others serve", () => {
    assertFiring(
      { a: { ...well, weir_view_drops_total: `0x4 1x${hour}` }, b: well, c: off },
      { "5m": { "WeirNodeDown warning": 1 } },
    );
  });

  test("wake for a majority lost, by what is up and by what the nodes that are left say", () => {
    const failing = { 'weir_http_requests_total{route="/kv/(key)",status="503"}': grows(2) };
    const served = { 'weir_http_requests_total{route="/kv/(key)",status="204"}': always(0) };
    const left = { ...well, ...served, ...failing, weir_view_majority_lost: always(1) };
    const critical = { "WeirMajorityLost critical": 1, "WeirNodeDown warning": 2 };
    assertFiring({ a: well, b: off, c: off }, { "2m": critical });
    // The health checks of load balancers are many, and all go well.
    assertFiring(
      { a: left, b: off, c: off },
      { "10m": { ...critical, "WeirErrors warning": 1, "WeirMostRequestsFail critical": 1 } },
    );
    // A partition: Prometheus reaches all of them.
    assertFiring(
      { a: { ...well, weir_view_majority_lost: always(1) }, b: well, c: well },
      { "2m": { "WeirMajorityLost critical": 1 } },
    );
  });

  test("wake for a node that waits for its disk, and do not blame the store or the view", () => {
    const waits = {
      ...well,
      weir_ready: always(0),
      weir_view_epoch: always(0),
      weir_view_settled: always(0),
      weir_journal_failed: always(1),
      weir_journal_free_bytes: always(mebibyte),
    };
    assertFiring(
      { a: well, b: well, c: waits },
      {
        "20m": {
          "WeirJournalFailed critical": 1,
          "WeirNotServing critical": 1,
          "WeirDiskFull critical": 1,
          "WeirDiskSmall warning": 1,
        },
      },
    );
  });

  test("warn before a disk is full: when the journal may need more than there is", () => {
    const small = { ...well, weir_journal_free_bytes: always(2_000 * mebibyte) };
    assertFiring({ a: well, b: well, c: small }, { "20m": { "WeirDiskSmall warning": 1 } });
  });

  test("warn of a node that restarts again and again, of the losses, and of a view that hardly settles", () => {
    const restarts = { ...well, process_start_time_seconds: grows(15, 1_000) };
    const other = { ...well, weir_view_settled: `0 1 0 1 0 `.repeat(48).trim(), weir_view_drops_total: grows(1) };
    assertFiring(
      { a: other, b: { ...other, weir_view_drops_total: always(0) }, c: restarts },
      { "20m": { "WeirRestarting warning": 1, "WeirViewFlapping warning": 1, "WeirViewUnsettled warning": 1 } },
    );
  });

  test("say nothing of five nodes that are restarted in order, one after the other", () => {
    const ids = ["a", "b", "c", "d", "e"];
    // Each is away for a scrape, and changes the view four times; for a scrape the others have not settled it.
    const nodes = ids.map((id, index) => {
      const at = 8 + 4 * index;
      const away = (before: number, later: number): string => `${before}x${at - 1} _ ${later}x${hour - at}`;
      const settled = Array.from({ length: hour }, (_, n) => ((n - 8) % 4 === 0 && n >= 8 && n < 28 ? 0 : 1)).join(" ");
      return [
        id,
        {
          ...well,
          up: `1x${at - 1} 0 1x${hour - at}`,
          weir_ready: away(1, 1),
          weir_view_epoch: grows(1),
          weir_view_settled: settled,
          process_start_time_seconds: away(1_000, 2_000),
        },
      ] as const;
    });
    const none = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${n + 1}m`, {}]));
    assertFiring(Object.fromEntries(nodes), none);
  });

  test("warn of a view that stays unsettled", () => {
    const unsettled = { ...well, weir_view_settled: `1x8 0x${hour}` };
    assertFiring({ a: unsettled, b: unsettled, c: unsettled }, { "3m": {}, "12m": { "WeirViewUnsettled warning": 1 } });
  });

  test("wake for keys in doubt", () => {
    const doubts = { ...well, weir_view_awaited_nodes: always(1) };
    assertFiring({ a: doubts, b: doubts }, { "5m": { "WeirKeysInDoubt critical": 1 } });
  });

  test("wake for a store that is away, once for each node", () => {
    const away = { ...well, weir_store_failing_seconds: grows(15), weir_buffer_oldest_dirty_age_seconds: grows(15) };
    assertFiring({ a: away, b: away }, { "3m": { "WeirStoreFailing critical": 2 } });
  });

  test("wake for a view's record that is wrong", () => {
    const wrong = { ...well, weir_view_record_wrong: always(1) };
    assertFiring({ a: wrong, b: well }, { "10m": { "WeirViewRecordWrong critical": 1 } });
  });

  test("wake for a certificate that expires within a week", () => {
    const expires = { ...well, weir_tls_certificate_expiry_timestamp_seconds: always(3 * 86_400) };
    assertFiring({ a: expires, b: well }, { "59m": {}, "61m": { "WeirCertificateExpires critical": 1 } });
  });
});

/**
 * How soon a node serves after its process was started, and what it takes of memory then: from the sources and as the
 * executable.
 */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import { root } from "../steps.ts";
import { BenchCluster } from "./cluster.ts";
import { median, type Row } from "./report.ts";
import type { Settings } from "./rounds.ts";

/** Time for what a start leaves behind to settle. */
const idleMs = 1_000;
const mebibyte = 1024 ** 2;

export async function measureStart({ rounds, scale }: Settings): Promise<Row[]> {
  // A build takes longer than a short run may.
  const variants = ["dist/weir", "its sources"].slice(scale < 1 ? 1 : 0);
  const executable = join(root, "dist", "weir");
  if (variants.includes("dist/weir") && !existsSync(executable))
    execFileSync(process.execPath, [join(root, "scripts", "build.ts")], { stdio: "ignore" });
  const rows: Row[] = [];
  for (const from of variants) {
    const startMs: number[] = [];
    const resident: number[] = [];
    const own: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await using cluster = await BenchCluster.start({
        nodes: { a: 1 },
        replicas: 1,
        ...(from === "dist/weir" && { executable }),
      });
      startMs.push(cluster.startMs);
      await sleep(systemClock, idleMs);
      const { process } = cluster.node("a");
      resident.push(process.residentBytes() / mebibyte);
      own.push(process.ownBytes() / mebibyte);
    }
    rows.push(
      {
        what: `from the start of a node's process to ready, from ${from}, on a folder`,
        weir: `${Math.round(median(startMs))} ms`,
        against: "",
        figure: median(startMs) / 1_000,
        digits: 2,
        unit: " s",
        target: { most: 1 },
      },
      {
        what: `resident memory of an idle node, from ${from}`,
        weir: `${Math.round(median(resident))} MiB, ${Math.round(median(own))} of them its own, the others pages of the executable that the system shares and reclaims`,
        against: "",
        figure: median(resident),
        digits: 0,
        unit: " MiB",
        target: { most: 90 },
      },
    );
  }
  return rows;
}

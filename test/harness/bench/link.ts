/**
 * Round trips over one link between two members, by link-rate.ts: what a forwarded request, or a replicated value,
 * costs at most.
 */

import { join } from "node:path";
import { Processes } from "./processes.ts";
import { median, type Row, rate } from "./report.ts";
import type { Settings } from "./rounds.ts";

export async function measureLink({ rounds, seconds }: Settings): Promise<Row[]> {
  await using processes = new Processes();
  const perSecond: number[] = [];
  const micros: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const args = [join(import.meta.dirname, "link-rate.ts"), "--seconds", String(seconds)];
    const output = await processes.start(process.execPath, args, { readsOutput: true }).output();
    const figures = /^(\d+) round trips\/s.*asking ([\d.]+), answering ([\d.]+)/.exec(output)?.slice(1).map(Number);
    if (figures === undefined) throw new Error(`link-rate.ts said nothing of use:\n${output}`);
    perSecond.push(figures[0] as number);
    micros.push((figures[1] as number) + (figures[2] as number));
  }
  return [
    {
      what: "round trips over one link between nodes, 1 KiB, 32 at a time",
      weir: rate(median(perSecond)),
      against: "",
      figure: median(micros),
      digits: 1,
      unit: " µs of both",
    },
  ];
}

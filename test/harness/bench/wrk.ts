/**
 * Load by wrk, which costs a third of the processor time of any generator in this runtime. Requests are put together
 * before the time runs, so that the generator's cost is the same for each target.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Processes } from "./processes.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

export interface WrkPlan {
  readonly url: string;
  readonly method: "GET" | "PUT";
  readonly keys: readonly string[];
  /** Of a PUT's body. */
  readonly bytes: number;
  /** It knows whole ones only. */
  readonly seconds: number;
}

export interface WrkResult {
  readonly perSecond: number;
  readonly requests: number;
  readonly p99Micros: number;
}

export const connections = 32;

export async function runWrk(plan: WrkPlan): Promise<WrkResult> {
  using folder = new TemporaryFolder();
  await using processes = new Processes();
  const keysPath = join(folder.path, "keys");
  const scriptPath = join(folder.path, "script.lua");
  writeFileSync(keysPath, `${plan.keys.join("\n")}\n`);
  writeFileSync(scriptPath, script(plan, keysPath));
  const args = [
    "-t1",
    `-c${connections}`,
    `-d${Math.ceil(plan.seconds)}s`,
    "--timeout",
    "20s",
    "-s",
    scriptPath,
    plan.url,
  ];
  const output = await processes.start("wrk", args, { readsOutput: true }).output();
  const line = /^RESULT (\d+) (\d+) (\d+) ([\d.]+)$/m.exec(output);
  if (line === null) throw new Error(`wrk said nothing of use:\n${output}`);
  const [requests, micros, failures, p99Micros] = line.slice(1).map(Number) as [number, number, number, number];
  if (failures > 0) throw new Error(`${failures} of ${requests} requests failed:\n${output}`);
  return { perSecond: requests / (micros / 1_000_000), requests, p99Micros };
}

function script({ method, bytes }: WrkPlan, keysPath: string): string {
  return `
    local requests = {}
    function init(args)
      math.randomseed(os.time())
      local body = ${method === "PUT" ? `string.rep("x", ${bytes})` : "nil"}
      for key in io.lines("${keysPath}") do
        requests[#requests + 1] = wrk.format("${method}", "/kv/" .. key, nil, body)
      end
    end
    function request()
      return requests[math.random(#requests)]
    end
    function done(summary, latency)
      local e = summary.errors
      io.write(string.format("RESULT %d %d %d %.1f\\n", summary.requests, summary.duration,
        e.connect + e.read + e.write + e.timeout + e.status, latency:percentile(99)))
    end
  `;
}

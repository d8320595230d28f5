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
  readonly requests: readonly WrkRequest[];
  /** Of a PUT's body. */
  readonly bytes: number;
  /** It knows whole ones only. */
  readonly seconds: number;
  /** {@link connections} unless told. */
  readonly connections?: number;
  /** How long each connection rests before a request, in milliseconds. Not at all unless told. */
  readonly restMs?: number;
}

export interface WrkRequest {
  readonly path: string;
  /** Beside `Host` and `Content-Length`. They have no tabs. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WrkResult {
  readonly perSecond: number;
  readonly requests: number;
  readonly p99Micros: number;
}

export const connections = 32;
const attempts = 5;

/** Without an answer in its time, which happens on a machine that has much else to do, it goes on for longer. */
export async function runWrk(plan: WrkPlan): Promise<WrkResult> {
  let { seconds } = plan;
  for (let attempt = 0; attempt < attempts; attempt++, seconds *= 2) {
    const result = await runOnce({ ...plan, seconds });
    if (result.requests > 0) return result;
  }
  throw new Error(`no request to ${plan.url} was answered in ${seconds / 2} s`);
}

async function runOnce(plan: WrkPlan): Promise<WrkResult> {
  using folder = new TemporaryFolder();
  await using processes = new Processes();
  const requestsPath = join(folder.path, "requests");
  const scriptPath = join(folder.path, "script.lua");
  const lines = plan.requests.map(({ path, headers = {} }) => [path, ...Object.entries(headers).flat()].join("\t"));
  writeFileSync(requestsPath, `${lines.join("\n")}\n`);
  writeFileSync(scriptPath, script(plan, requestsPath));
  const args = [
    "-t1",
    `-c${plan.connections ?? connections}`,
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

/** Of each key in the node's own dialect. */
export function requestsFor(keys: readonly string[]): WrkRequest[] {
  return keys.map((key) => ({ path: `/kv/${key}` }));
}

/** A line of the file has the path, and then names and values of headers in turn, with tabs between. */
function script({ method, bytes, restMs }: WrkPlan, requestsPath: string): string {
  return `
    local requests = {}
    function init(args)
      math.randomseed(os.time())
      local body = ${method === "PUT" ? `string.rep("x", ${bytes})` : "nil"}
      for line in io.lines("${requestsPath}") do
        local fields = {}
        for field in line:gmatch("[^\t]+") do fields[#fields + 1] = field end
        local headers = { ["Host"] = wrk.headers["Host"] }
        for i = 2, #fields, 2 do headers[fields[i]] = fields[i + 1] end
        requests[#requests + 1] = wrk.format("${method}", fields[1], headers, body)
      end
    end
    ${restMs === undefined ? "" : `function delay() return ${restMs} end`}
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

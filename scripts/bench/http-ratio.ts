/**
 * What the server for clients costs over the runtime's own: wrk against it and against the bare server in turns, with the median of each and
 * their ratio, in requests a second and in processor time a request (which other load on the machine disturbs less). Both keep
 * values in a Map. `http-ratio.ts [--rounds N] [--seconds N] [--bytes N]`; Linux only, wrk must be installed.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const keys = 10_000;
const connections = 32;

interface Target {
  readonly name: string;
  readonly url: string;
  readonly process: ChildProcess;
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    bytes: { type: "string", default: "1024" },
  },
});
const rounds = Number(options.rounds);
const bytes = Number(options.bytes);

async function start(name: string, script: string): Promise<Target> {
  const child = spawn(process.execPath, [join(import.meta.dirname, script)], { stdio: ["ignore", "pipe", "inherit"] });
  const [url] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), "line")) as [string];
  return { name, url, process: child };
}

/** Lua for wrk: requests over all the keys, in an order of its own for each thread. */
function script(method: "GET" | "PUT"): string {
  return `
    local body = ${method === "PUT" ? `string.rep("x", ${bytes})` : "nil"}
    math.randomseed(os.time())
    request = function()
      return wrk.format("${method}", "/kv/bench/object-" .. math.random(${keys}), nil, body)
    end
  `;
}

interface Rate {
  readonly perSecond: number;
  /** Microseconds of processor time for a request. */
  readonly cpu: number;
}

/** Processor time of a process so far, in microseconds; the kernel counts hundredths of a second. */
async function cpuTime(child: ChildProcess): Promise<number> {
  const fields = (await readFile(`/proc/${child.pid}/stat`, "latin1")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function run(target: Target, file: string, seconds: string): Promise<Rate> {
  const before = await cpuTime(target.process);
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "-s", file, target.url];
  const wrk = spawn("wrk", args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  wrk.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await once(wrk, "close");
  if (output.includes("Non-2xx")) throw new Error(`${target.name} did not answer well:\n${output}`);
  const perSecond = /Requests\/sec:\s+([\d.]+)/.exec(output)?.[1];
  const requests = /(\d+) requests in/.exec(output)?.[1];
  if (perSecond === undefined || requests === undefined) throw new Error(`wrk said nothing of use:\n${output}`);
  return { perSecond: Number(perSecond), cpu: ((await cpuTime(target.process)) - before) / Number(requests) };
}

async function fill(target: Target): Promise<void> {
  const body = Buffer.alloc(bytes, "x");
  for (let key = 1; key <= keys; key += connections) {
    const batch = Array.from({ length: Math.min(connections, keys - key + 1) }, async (_, i) => {
      const answer = await fetch(`${target.url}/kv/bench/object-${key + i}`, { method: "PUT", body });
      if (!answer.ok) throw new Error(`${target.name} answered ${answer.status}`);
    });
    await Promise.all(batch);
  }
}

function middle(rates: readonly Rate[]): Rate {
  return { perSecond: median(rates.map((rate) => rate.perSecond)), cpu: median(rates.map((rate) => rate.cpu)) };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number;
}

const folder = await mkdtemp(join(tmpdir(), "weir-bench-"));
const weir = await start("weir", "../../test/support/memory-server.ts");
const bare = await start("bare", "bare-server.ts");
try {
  for (const target of [weir, bare]) await fill(target);
  for (const method of ["PUT", "GET"] as const) {
    const file = join(folder, `${method}.lua`);
    await writeFile(file, script(method));
    const rates: Record<string, Rate[]> = { weir: [], bare: [] };
    for (const target of [weir, bare]) await run(target, file, "1");
    for (let round = 0; round < rounds; round++) {
      for (const target of round % 2 === 0 ? [weir, bare] : [bare, weir]) {
        (rates[target.name] as Rate[]).push(await run(target, file, options.seconds));
      }
    }
    const [ours, theirs] = [middle(rates["weir"] as Rate[]), middle(rates["bare"] as Rate[])];
    console.log(
      `${method} ${bytes} B: weir ${ours.perSecond.toFixed(0)}/s, bare ${theirs.perSecond.toFixed(0)}/s, ` +
        `ratio ${(ours.perSecond / theirs.perSecond).toFixed(3)}; processor time ${ours.cpu.toFixed(1)} and ` +
        `${theirs.cpu.toFixed(1)} µs, ratio ${(theirs.cpu / ours.cpu).toFixed(3)} ` +
        `(medians of ${rounds} runs of ${options.seconds} s)`,
    );
  }
} finally {
  for (const target of [weir, bare]) target.process.kill();
  await rm(folder, { recursive: true });
}

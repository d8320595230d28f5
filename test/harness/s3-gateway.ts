/**
 * A real S3 server for the tests that want one: Ceph's gateway, started by s3-server.sh in a folder of its own, on free
 * ports. Installing it needs root and Debian, so there may be none.
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownPorts } from "./own-ports.ts";
import { root } from "./steps.ts";

const script = join(root, "test", "harness", "s3-server.sh");

export interface Gateway extends Disposable {
  /** What the tests are told, by the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The gateway's process, and those of the monitor and the disk behind it. */
  readonly pids: readonly number[];
}

/** Starts a gateway, or says why there can be none here. It stops when it's disposed of. */
export async function startGateway(): Promise<Gateway | { readonly missing: string }> {
  const missing = whyNot();
  if (missing !== undefined) return { missing };
  const folder = mkdtempSync(join(tmpdir(), "weir-s3-"));
  const stop = (): void => {
    process.off("exit", stop);
    spawnSync("bash", [script, "stop", folder], { stdio: "ignore" });
    rmSync(folder, { recursive: true, force: true });
  };
  // Also when a signal ends this process while the gateway starts: stopping waits for the start.
  process.on("exit", stop);
  process.stdout.write("starting an S3 gateway (the first time, its Debian packages are installed)\n");
  // The one after it is the gateway's monitor's, and then comes the second gateway's (`S3_GATEWAYS`).
  const [port] = await ownPorts(3);
  const child = spawn("bash", [script, "start", folder, String(port)], {
    stdio: ["ignore", "pipe", "pipe"],
    // Ctrl-C at a terminal is for this process, which then stops the gateway in order.
    detached: true,
  });
  let settings = "";
  let progress = "";
  child.stdout.on("data", (chunk: Buffer) => {
    settings += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    progress += chunk.toString();
  });
  // Not `close`: the gateway itself inherits nothing, but a daemon of a later version might.
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) {
    stop();
    return { missing: `it did not start:\n${progress}` };
  }
  return { env: testEnvironment(settings), pids: pidsIn(join(folder, "run")), [Symbol.dispose]: stop };
}

function whyNot(): string | undefined {
  const hasGateway = spawnSync("sh", ["-c", "command -v radosgw ceph-mon ceph-osd"], { stdio: "ignore" }).status === 0;
  if (hasGateway) return undefined;
  if (process.getuid?.() !== 0) return "installing it needs root";
  if (spawnSync("sh", ["-c", "command -v apt-get"], { stdio: "ignore" }).status !== 0)
    return "installing it needs Debian";
  return undefined;
}

/** Of each `*.pid` file of the folder. */
function pidsIn(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".pid"))
    .map((name) => Number(readFileSync(join(folder, name), "utf8")));
}

/** `S3_NAME=value` lines as the variables that the tests read. */
function testEnvironment(settings: string): Record<string, string> {
  const lines = settings.split("\n").filter((line) => line.startsWith("S3_"));
  return Object.fromEntries(
    lines.map((line) => [`WEIR_TEST_${line.slice(0, line.indexOf("="))}`, line.slice(line.indexOf("=") + 1)]),
  );
}

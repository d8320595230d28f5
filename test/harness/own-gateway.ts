/**
 * An S3 gateway for one test alone, which may be killed, stopped and started again; what it stores outlives that. There
 * may be a second one over the same objects. It takes a few seconds to start, so only for what a proxy can't show.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "../../src/base/assert.ts";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { ownPorts } from "./own-ports.ts";
import type { S3Server } from "./s3-server.ts";

const script = join(import.meta.dirname, "s3-server.sh");

const pollMs = 50;
const restartMs = 30_000;
/** Milliseconds in which a gateway checks the signatures of what it was sent. */
const acceptMs = 300;

/** The second gateway, the first, and the disk below both, as s3-server.sh names their processes. */
type Part = "rgw2" | "rgw" | "osd";

export class OwnGateway implements AsyncDisposable {
  readonly server: S3Server;
  /** The second gateway's, if there is one. */
  readonly secondEndpoint: string;
  readonly #folder: string;
  #restarted: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    const endpoint = `http://127.0.0.1:${port}`;
    this.secondEndpoint = `http://127.0.0.1:${port + 2}`;
    this.server = { endpoint, accessKeyId: "test", secretAccessKey: "testtest1234", region: "us-east-1" };
  }

  static async start(gateways: 1 | 2 = 1): Promise<OwnGateway> {
    const folder = mkdtempSync(join(tmpdir(), "weir-gateway-"));
    // The one after it is the gateway's monitor's, and then comes the second gateway's.
    const [port] = (await ownPorts(3)) as [number, number, number];
    const gateway = new OwnGateway(folder, port);
    const child = spawn("bash", [script, "start", folder, new URL(gateway.server.endpoint).port], {
      env: { ...process.env, S3_GATEWAYS: String(gateways) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let progress = "";
    child.stderr.on("data", (chunk: Buffer) => {
      progress += chunk.toString();
    });
    const [code] = (await once(child, "exit")) as [number | null];
    if (code === 0) return gateway;
    await gateway[Symbol.asyncDispose]();
    throw new Error(`the gateway did not start:\n${progress}`);
  }

  /** Ends the gateway at once: whoever connects is refused. */
  async kill(): Promise<void> {
    process.kill(this.#pid(), "SIGKILL");
    await this.#until("the gateway is gone", async () => !(await this.#answers()));
  }

  /** Suspends the gateway: whoever connects gets no answer, until {@link resume}. */
  pause(): void {
    process.kill(this.#pid(), "SIGSTOP");
  }

  resume(): void {
    process.kill(this.#pid(), "SIGCONT");
  }

  /** Suspends the disk below the gateway: it takes requests and keeps them, until {@link resumeDisk}. */
  pauseDisk(): void {
    process.kill(this.#pid("osd"), "SIGSTOP");
  }

  /** What the gateway has kept is done now, however old it is. */
  resumeDisk(): void {
    process.kill(this.#pid("osd"), "SIGCONT");
  }

  /**
   * Suspends the second gateway alone. What it was sent before it has accepted, and has begun little of it. It does the
   * rest after {@link resumeSecond}.
   */
  async freezeSecond(): Promise<void> {
    this.pauseDisk();
    try {
      await sleep(systemClock, acceptMs);
      process.kill(this.#pid("rgw2"), "SIGSTOP");
    } finally {
      this.resumeDisk();
    }
  }

  resumeSecond(): void {
    process.kill(this.#pid("rgw2"), "SIGCONT");
  }

  /** Starts the gateway again, over the same objects. */
  async restart(): Promise<void> {
    const child = spawn("radosgw", ["-f", "-n", "client.rgw", "-c", join(this.#folder, "ceph.conf")], {
      detached: true,
      stdio: "ignore",
    });
    this.#restarted = child;
    // Where the script that stops it looks.
    writeFileSync(this.#pidPath("rgw"), String(child.pid));
    await this.#until("the gateway answers again", async () => await this.#answers());
  }

  [Symbol.asyncDispose](): Promise<void> {
    spawnSync("bash", [script, "stop", this.#folder], { stdio: "ignore" });
    this.#restarted?.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
    return Promise.resolve();
  }

  #pidPath(part: Part): string {
    return join(this.#folder, "run", `${part}.pid`);
  }

  #pid(part: Part = "rgw"): number {
    const pid = Number(readFileSync(this.#pidPath(part), "utf8"));
    assert(Number.isInteger(pid) && pid > 1, "the pid file names a process");
    return pid;
  }

  async #answers(): Promise<boolean> {
    try {
      return (await fetch(this.server.endpoint)).status === 200;
    } catch {
      // No connection, or one that broke: that is the answer.
      return false;
    }
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = systemClock.now() + restartMs;
    while (!(await holds())) {
      if (systemClock.now() > deadline) throw new Error(`not within ${restartMs} ms: ${what}`);
      await sleep(systemClock, pollMs);
    }
  }
}

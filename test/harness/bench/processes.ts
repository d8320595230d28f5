/**
 * The processes that a measurement starts: servers and load generators. None of them outlives the bench, however that
 * ends: all are killed when their group is disposed of, and again when this process exits.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What it prints to its standard output is thrown away, unless it is read here. */
  readonly readsOutput?: boolean;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** How much of a dead process's last words is told. */
const lastWordsBytes = 4_000;

export class Processes implements AsyncDisposable {
  readonly #own = new Set<Started>();

  start(program: string, args: readonly string[], options: StartOptions = {}): Started {
    const child = spawn(program, args, {
      stdio: ["ignore", options.readsOutput === true ? "pipe" : "ignore", "pipe"],
      env: { ...process.env, ...options.env },
    });
    const started = new Started(child, program);
    this.#own.add(started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#own].map((started) => started.kill()));
  }
}

export class Started {
  readonly #child: ChildProcess;
  readonly #name: string;
  /** Resolves when the process is gone, or could not be started. */
  readonly #gone: Promise<unknown>;
  #errors = "";

  constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    running.add(child);
    this.#gone = Promise.race([once(child, "exit"), once(child, "error")])
      .catch((error: Error) => {
        this.#errors += error.message;
      })
      .then(() => running.delete(child));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-lastWordsBytes);
    });
  }

  get isRunning(): boolean {
    return running.has(this.#child);
  }

  /** The first line that it prints. */
  async firstLine(): Promise<string> {
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    const line = await Promise.race([once(lines, "line"), this.#gone]);
    if (Array.isArray(line)) return line[0] as string;
    throw this.failure("ended before it was ready");
  }

  /** All that it prints until it ends well. */
  async output(): Promise<string> {
    let text = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
    await Promise.all([this.#gone, this.isRunning ? once(this.#child, "close") : undefined]);
    if (this.#child.exitCode !== 0) throw this.failure(`ended with ${this.#child.exitCode}`);
    return text;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<void> {
    await this.#gone;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#gone;
  }

  /** See {@link cpuMicrosOf}. */
  cpuMicros(): number {
    return cpuMicrosOf(this.#child.pid as number);
  }

  /** Resident memory, in bytes. Linux only. */
  residentBytes(): number {
    return this.#statusBytes("VmRSS");
  }

  /** Resident memory without pages of files, in bytes. Linux only. */
  ownBytes(): number {
    return this.#statusBytes("RssAnon");
  }

  #statusBytes(name: string): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, "latin1");
    return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) * 1_024;
  }

  /** An error that says what the process said. */
  failure(what: string): Error {
    return new Error(`${this.#name} ${what}\n${this.#errors}`);
  }
}

/** Processor time of a process so far, in microseconds; the kernel counts hundredths of a second. Linux only. */
export function cpuMicrosOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

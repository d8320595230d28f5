/**
 * One node as a real process of `weir serve`, as a test starts, kills and stops it. What it prints is kept, to
 * be shown if the test fails; should the test's own process die, the channel between the two ends the node.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { sleep } from "../../src/base/clock.ts";
import { systemClock } from "../../src/system.ts";
import { program as usualProgram } from "./program.ts";

const usualCommand: readonly string[] = [process.execPath, usualProgram];

/** Lines kept of each node: enough for its whole life in a test, and a bound in a soak. */
const maxLines = 2_000;

const pollMs = 20;

export interface NodeProcessOptions {
  readonly id: string;
  readonly configPath: string;
  readonly env: Readonly<Record<string, string>>;
  /** How weir is run, to its command line; as in program.ts unless told. */
  readonly program?: readonly string[] | undefined;
  /** Beyond so many bytes (in steps of 512) no file of it grows: a disk that is full, but for the error's name. */
  readonly fileBytes?: number;
}

/** How a process ended: with `code`, or by `signal`. */
export interface NodeEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

export class NodeProcess {
  readonly id: string;
  /** Resolves when the process has ended and all that it printed was read. */
  readonly ended: Promise<NodeEnd>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #end: NodeEnd | undefined;
  #isAsked = false;

  constructor({ id, configPath, env, program = usualCommand, fileBytes }: NodeProcessOptions) {
    this.id = id;
    // The test runner's own variable would make the child report to it.
    const { NODE_TEST_CONTEXT: _context, ...inherited } = process.env;
    const command = [...program, "serve", "--config", configPath, "--node", id];
    const limited =
      fileBytes === undefined ? command : ["sh", "-c", `ulimit -f ${fileBytes / 512}; exec "$@"`, "sh", ...command];
    const child = spawn(limited[0] as string, limited.slice(1), {
      env: { ...inherited, ...env },
      // A process group of its own: Ctrl-C is for the test, which then stops it.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.#keep(line));
    }
    this.ended = once(child, "close").then(([code, signal]: unknown[]) => {
      this.#end = { code: code as number | null, signal: signal as string | null };
      return this.#end;
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** How it ended, if nobody asked it to: a crash. */
  get crash(): NodeEnd | undefined {
    return this.#isAsked ? undefined : this.#end;
  }

  get isRunning(): boolean {
    return this.#end === undefined;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Ends it as a power loss would: nothing more is sent or written. */
  async kill(): Promise<void> {
    this.#isAsked = true;
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  /** Sends it a signal that does not end it, or not at once. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** From now on its end is expected. */
  expectEnd(): Promise<NodeEnd> {
    this.#isAsked = true;
    return this.ended;
  }

  /** Resolves when it has printed a line with this text. */
  async printed(text: string, withinMs = 45_000): Promise<void> {
    const deadline = systemClock.now() + withinMs;
    while (!this.#lines.some((line) => line.includes(text))) {
      if (systemClock.now() > deadline) throw new Error(`${this.id} has not printed ${JSON.stringify(text)}`);
      await sleep(systemClock, pollMs);
    }
  }

  /** Suspends it: its connections stay, but it does nothing. Only {@link kill} ends it then. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  /** Stops it in order, as an operator does; kills it if that takes longer than `graceMs`. */
  async stop(graceMs: number): Promise<NodeEnd> {
    this.#isAsked = true;
    this.#child.kill("SIGTERM");
    const grace = new AbortController();
    const tooLong = sleep(systemClock, graceMs, grace.signal).then(
      () => this.#child.kill("SIGKILL"),
      () => undefined,
    );
    const end = await this.ended;
    grace.abort();
    await tooLong;
    return end;
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > maxLines) this.#lines.shift();
  }
}

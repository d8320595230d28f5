/**
 * Child processes that never outlive their owner, and whose owner hears how each ends. Each child gets two things:
 * - A process group of its own. So Ctrl-C reaches only the owner, which then stops the children in order.
 * - A channel to the owner. It closes when the owner is gone in any way, which tells the child.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { assert } from "../../base/assert.ts";
import { type Clock, sleep } from "../../base/clock.ts";

export interface ChildSpec {
  readonly name: string;
  readonly program: string;
  readonly arguments: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How a child ended: `code` or `signal`, or `error` if it could not be started. */
export interface ChildEnd {
  readonly name: string;
  readonly code: number | null;
  readonly signal: string | null;
  readonly error?: Error;
}

export interface ChildObserver {
  /** A line that a child has printed, on either stream. */
  onLine(name: string, line: string): void;
  /** A child has ended for any reason, and all that it printed was read. */
  onEnd(end: ChildEnd): void;
}

interface Child {
  readonly process: ChildProcess;
  readonly end: Promise<ChildEnd>;
}

export class ChildProcesses {
  readonly #clock: Clock;
  readonly #observer: ChildObserver;
  readonly #running = new Map<string, Child>();
  #isStopping = false;

  constructor(clock: Clock, observer: ChildObserver) {
    this.#clock = clock;
    this.#observer = observer;
  }

  /** Starts a child. An earlier child of this name must have ended. */
  start(spec: ChildSpec): void {
    assert(
      !this.#running.has(spec.name) && !this.#isStopping,
      "a child runs once at a time, and while its owner goes on",
    );
    const process = start(spec, (line) => this.#observer.onLine(spec.name, line));
    const end = ended(spec.name, process);
    this.#running.set(spec.name, { process, end });
    void end.then((how) => {
      this.#running.delete(spec.name);
      this.#observer.onEnd(how);
    });
  }

  /** The process id of a running child. */
  pidOf(name: string): number | undefined {
    return this.#running.get(name)?.process.pid;
  }

  /** The names of the running children. */
  get running(): readonly string[] {
    return [...this.#running.keys()];
  }

  /**
   * Asks all to stop, and kills those that are left after `graceMs`. Resolves once none is left, with how each ended.
   */
  async stop(graceMs: number): Promise<readonly ChildEnd[]> {
    this.#isStopping = true;
    const children = [...this.#running.values()];
    for (const { process } of children) process.kill("SIGTERM");
    const grace = new AbortController();
    const tooLong = sleep(this.#clock, graceMs, grace.signal).then(
      () => this.killAll(),
      () => undefined,
    );
    const ends = await Promise.all(children.map(({ end }) => end));
    grace.abort();
    await tooLong;
    return ends;
  }

  /** Kills all at once. */
  killAll(): void {
    this.#isStopping = true;
    for (const { process } of this.#running.values()) process.kill("SIGKILL");
  }
}

function start(spec: ChildSpec, onLine: (line: string) => void): ChildProcess {
  const child = spawn(spec.program, spec.arguments, {
    env: { ...spec.env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on("line", onLine);
  }
  return child;
}

/** Resolves once the child has ended and all that it printed was read. */
function ended(name: string, child: ChildProcess): Promise<ChildEnd> {
  return new Promise((resolve) => {
    child.once("error", (error) => {
      if (child.pid === undefined) resolve({ name, code: null, signal: null, error });
    });
    child.once("close", (code, signal) => resolve({ name, code, signal }));
  });
}

/**
 * Child processes that live and die together: when one ends unasked the owner hears of it, and none outlives the owner. Each gets
 * a process group of its own, so that Ctrl-C reaches the owner alone, which then stops them in order; and a channel whose
 * closing tells it that the owner is gone, however that ended.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Clock, sleep } from "../base/clock.ts";

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

export class ChildProcesses {
  /** Resolves when the first child ends before {@link stop} was called, unless {@link expectEnds} was told of it. */
  readonly diedUnasked: Promise<ChildEnd>;
  readonly #clock: Clock;
  readonly #names: readonly string[];
  readonly #children: readonly ChildProcess[];
  readonly #ends: readonly Promise<ChildEnd>[];
  readonly #expected = new Set<string>();
  #isStopping = false;

  /** @param onLine gets each line that a child prints, on either stream. */
  constructor(specs: readonly ChildSpec[], clock: Clock, onLine: (name: string, line: string) => void) {
    this.#clock = clock;
    this.#names = specs.map(({ name }) => name);
    this.#children = specs.map((spec) => start(spec, onLine));
    this.#ends = specs.map((spec, index) => ended(spec.name, this.#children[index] as ChildProcess));
    const { promise, resolve } = Promise.withResolvers<ChildEnd>();
    this.diedUnasked = promise;
    for (const end of this.#ends) {
      void end.then((how) => {
        if (!this.#isStopping && !(this.#expected.has(how.name) && how.code === 0)) resolve(how);
      });
    }
  }

  /** These children are about to end by themselves. Resolves once all have, and well; of one that does not end well the owner hears by {@link diedUnasked}. */
  async expectEnds(names: readonly string[]): Promise<void> {
    for (const name of names) this.#expected.add(name);
    const ends = await Promise.all(this.#ends.filter((_, index) => names.includes(this.#names[index] as string)));
    if (ends.some(({ code }) => code !== 0)) await new Promise(() => undefined);
  }

  /** Asks all to stop, and ends those that haven't after `graceMs`. Resolves once none is left, with how each ended. */
  async stop(graceMs: number): Promise<readonly ChildEnd[]> {
    this.#isStopping = true;
    for (const child of this.#children) child.kill("SIGTERM");
    const all = Promise.all(this.#ends);
    const grace = new AbortController();
    const tooLong = sleep(this.#clock, graceMs, grace.signal).then(
      () => this.killAll(),
      () => undefined,
    );
    const ends = await all;
    grace.abort();
    await tooLong;
    return ends;
  }

  /** Ends all at once. */
  killAll(): void {
    this.#isStopping = true;
    for (const child of this.#children) child.kill("SIGKILL");
  }
}

function start(spec: ChildSpec, onLine: (name: string, line: string) => void): ChildProcess {
  const child = spawn(spec.program, spec.arguments, {
    env: { ...spec.env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on("line", (line) => onLine(spec.name, line));
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

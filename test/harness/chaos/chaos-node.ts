/**
 * One node of a cluster in chaos: a real process of `weir serve`, one life after another, on a host of its own
 * if there is a network of namespaces. What it prints goes to a file, which tells its story after the end. Should this
 * process die, the channel between the two ends the node.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, rmSync } from "node:fs";
import { assert } from "../../../src/base/assert.ts";
import { sleep } from "../../../src/base/clock.ts";
import { systemClock } from "../../../src/system.ts";
import type { NodeEnd } from "../node-process.ts";
import { program } from "../program.ts";

export interface ChaosNodeParts {
  readonly id: string;
  readonly url: string;
  readonly configPath: string;
  /** With the journal in it. */
  readonly dataFolder: string;
  readonly logPath: string;
  readonly env: Readonly<Record<string, string>>;
  /** See `ChaosNetwork.commandPrefix`. */
  readonly commandPrefix: readonly string[];
}

export class ChaosNode {
  readonly id: string;
  readonly url: string;
  readonly #parts: ChaosNodeParts;
  #child: ChildProcess | undefined;
  #ended: Promise<NodeEnd> | undefined;
  /** Whether the present life's end was asked for. */
  #isAsked = false;
  readonly #crashes: NodeEnd[] = [];

  constructor(parts: ChaosNodeParts) {
    this.id = parts.id;
    this.url = parts.url;
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** How lives ended that nobody had asked to end. */
  get crashes(): readonly NodeEnd[] {
    return this.#crashes;
  }

  start(): void {
    assert(!this.isRunning, "a node runs once at a time");
    const { id, configPath, logPath, env, commandPrefix } = this.#parts;
    const command = [...commandPrefix, process.execPath, program, "serve", "--config", configPath, "--node", id];
    // The test runner's own variable would make the child report to it.
    const { NODE_TEST_CONTEXT: _context, ...inherited } = process.env;
    const log = openSync(logPath, "a");
    const child = spawn(command[0] as string, command.slice(1), {
      env: { ...inherited, ...env },
      // A process group of its own: Ctrl-C is for this process, which then stops it.
      detached: true,
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    this.#child = child;
    this.#isAsked = false;
    this.#ended = once(child, "close").then(([code, signal]: unknown[]) => {
      const end = { code: code as number | null, signal: signal as string | null };
      if (!this.#isAsked) this.#crashes.push(end);
      this.#child = undefined;
      return end;
    });
  }

  /** Ends it as a loss of power would: nothing more is sent or written. Stopped ones are ended too. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return;
    this.#isAsked = true;
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** Suspends it: its connections stay, but it does nothing, until {@link resume}. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Stops it in order, as an operator does; kills it if that takes longer than `graceMs`. */
  async stop(graceMs: number): Promise<NodeEnd | undefined> {
    const child = this.#child;
    if (child === undefined) return undefined;
    this.#isAsked = true;
    child.kill("SIGTERM");
    const grace = new AbortController();
    const tooLong = sleep(systemClock, graceMs, grace.signal).then(
      () => child.kill("SIGKILL"),
      () => undefined,
    );
    const end = await this.#ended;
    grace.abort();
    await tooLong;
    return end;
  }

  /** Takes its data folder away, as a lost disk would. */
  wipe(): void {
    assert(!this.isRunning, "a disk is lost while its node is off");
    rmSync(this.#parts.dataFolder, { recursive: true, force: true });
  }
}

/**
 * The nodes of `weir dev`. Until all of them serve, the end of one ends all. From then on a node that ends is started
 * again, as a supervisor does on a host. So a user can try `kill -9`. A node that ends well has left the cluster and is
 * not started again.
 */

import { setMaxListeners } from "node:events";
import { Agent } from "undici";
import { type Clock, sleep, type Timer } from "../../base/clock.ts";
import { isOperatingError, OperatingError } from "../../base/errors.ts";
import { type ChildEnd, ChildProcesses, type ChildSpec } from "./child-processes.ts";
import type { DevNode } from "./dev-settings.ts";

export interface DevNodesParts {
  readonly nodes: readonly DevNode[];
  /** The process of the node with this id. */
  readonly specOf: (id: string) => ChildSpec;
  readonly clock: Clock;
  /** A line that a node has printed. */
  readonly onLine: (id: string, line: string) => void;
  /** What happens to a node, in words. */
  readonly onNews: (text: string) => void;
  /** Milliseconds until a node that has ended is started again: long enough to see that the others go on. */
  readonly restartMs: number;
  /** F of the cluster, in milliseconds. */
  readonly flushDeadlineMs: number;
}

/** Why nothing is left to run. `failed`: a node cannot run, `text` says why. `left`: all nodes have left. */
export type DevEnd = { readonly kind: "failed"; readonly text: string } | { readonly kind: "left" };

interface NodeState {
  readonly port: number;
  /** How often in a row it has ended without having served. */
  failedStarts: number;
  isServing: boolean;
  /** Starts the node again. */
  timer?: Timer;
}

/** Milliseconds for all nodes to serve: about a second each on a slow machine, and the store's time. */
const readyMs = 60_000;
/** Milliseconds between two questions whether a node serves. */
const askMs = 50;
/** Milliseconds. Stopping usually takes less. After this, the user is told what it waits for. */
const patienceMs = 1_500;
/** A node that ends so often without having served cannot run. */
const maxFailedStarts = 3;

export class DevNodes {
  /** Resolves when nothing is left to run. */
  readonly ended: Promise<DevEnd>;
  readonly #parts: DevNodesParts;
  readonly #children: ChildProcesses;
  /** By id, without the nodes that have left. */
  readonly #nodes: Map<string, NodeState>;
  readonly #end: (end: DevEnd) => void;
  readonly #agent = new Agent();
  readonly #stopping = new AbortController();
  readonly #leaving = new Map<string, () => void>();
  #keepsRunning = false;

  /** Starts the nodes. */
  constructor(parts: DevNodesParts) {
    this.#parts = parts;
    const { promise, resolve } = Promise.withResolvers<DevEnd>();
    this.ended = promise;
    this.#end = resolve;
    setMaxListeners(0, this.#stopping.signal);
    this.#nodes = new Map(parts.nodes.map(({ id, port }) => [id, { port, failedStarts: 0, isServing: false }]));
    this.#children = new ChildProcesses(parts.clock, { onLine: parts.onLine, onEnd: (end) => this.#onEnd(end) });
    for (const { id } of parts.nodes) this.#children.start(parts.specOf(id));
  }

  /** The process id of a running node. */
  pidOf(id: string): number | undefined {
    return this.#children.pidOf(id);
  }

  /**
   * Resolves once every node serves.
   *
   * @throws OperatingError `not_ready` with the node's reason when a node does not serve in time. `shutting_down` when
   * the nodes are stopped.
   */
  async allReady(): Promise<void> {
    const deadline = this.#parts.clock.now() + readyMs;
    for (const [id, node] of this.#nodes) {
      await this.#serves(node, (reason) => {
        if (this.#parts.clock.now() <= deadline) return true;
        throw new OperatingError(
          "not_ready",
          `the node ${id} on port ${node.port} does not serve after ${readyMs / 1_000} s: ${reason}`,
        );
      });
    }
  }

  /**
   * The caller has made these nodes leave. Resolves once all of them have ended well.
   *
   * @throws OperatingError `shutting_down` when the nodes are stopped.
   */
  left(ids: readonly string[]): Promise<void> {
    const all = ids.map((id) => new Promise<void>((resolve) => this.#leaving.set(id, resolve)));
    return new Promise((resolve, reject) => {
      this.#stopping.signal.addEventListener("abort", () => reject(this.#stopping.signal.reason as Error));
      void Promise.all(all).then(() => resolve());
    });
  }

  /** From now on a node that ends is started again. */
  keepRunning(): void {
    this.#keepsRunning = true;
  }

  /**
   * Asks all to stop in order, and kills those that are left after `graceMs`. Resolves once none is left, with what
   * went wrong, in words.
   */
  async stop(graceMs: number): Promise<readonly string[]> {
    this.#stopping.abort(new OperatingError("shutting_down", "the nodes are stopped"));
    for (const { timer } of this.#nodes.values()) timer?.cancel();
    const timer = this.#parts.clock.after(patienceMs, () => this.#parts.onNews(this.#waitText()));
    const ends = await this.#children.stop(graceMs);
    timer.cancel();
    await this.#agent.destroy();
    // SIGTERM itself ends a node that has just begun to start. It has nothing yet.
    return ends.filter(({ code, signal }) => code !== 0 && signal !== "SIGTERM").map(endText);
  }

  /** Kills all at once. */
  killAll(): void {
    this.#stopping.abort(new OperatingError("shutting_down", "the nodes are stopped"));
    this.#children.killAll();
  }

  /** Why stopping takes its time. */
  #waitText(): string {
    const ids = this.#children.running.join(", ");
    const seconds = this.#parts.flushDeadlineMs / 1_000;
    return `still waiting for ${ids}: the store gets first what it lacks. After the loss of a node its values wait up to ${seconds} s, until no request of the lost process can reach the store any more (Ctrl-C again: at once; the journals keep what is left)`;
  }

  #onEnd(end: ChildEnd): void {
    if (this.#stopping.signal.aborted) return;
    const { clock, restartMs, onNews } = this.#parts;
    const node = this.#nodes.get(end.name) as NodeState;
    const leaves = this.#leaving.get(end.name);
    if (end.code === 0 && (this.#keepsRunning || leaves !== undefined)) {
      this.#nodes.delete(end.name);
      leaves?.();
      if (leaves === undefined) onNews(`node ${end.name} has left the cluster, and is not started again`);
      if (this.#nodes.size === 0) this.#end({ kind: "left" });
      return;
    }
    node.failedStarts = node.isServing ? 0 : node.failedStarts + 1;
    node.isServing = false;
    if (!this.#keepsRunning) {
      this.#end({ kind: "failed", text: endText(end) });
    } else if (node.failedStarts === maxFailedStarts) {
      const text = `${endText(end)}: it could not be started, ${maxFailedStarts} times in a row`;
      this.#end({ kind: "failed", text });
    } else {
      onNews(`${endText(end)}; it is started again in ${restartMs / 1_000} s`);
      node.timer = clock.after(restartMs, () => this.#startAgain(end.name, node));
    }
  }

  #startAgain(id: string, node: NodeState): void {
    const { specOf, onNews } = this.#parts;
    this.#children.start(specOf(id));
    const pid = this.#children.pidOf(id);
    this.#serves(node, () => this.#children.pidOf(id) === pid).then(
      (serves) => {
        if (serves) onNews(`node ${id} is back, and serves (process ${pid})`);
      },
      (error: unknown) => {
        if (!isOperatingError(error, "shutting_down")) throw error;
      },
    );
  }

  /**
   * Asks until the node serves. In between `goesOn` hears why it does not serve yet. False if `goesOn` returns false.
   */
  async #serves(node: NodeState, goesOn: (reason: string) => boolean): Promise<boolean> {
    for (;;) {
      const reason = await this.#unreadiness(node.port);
      if (reason === undefined) {
        node.isServing = true;
        return true;
      }
      if (!goesOn(reason)) return false;
      await sleep(this.#parts.clock, askMs, this.#stopping.signal);
    }
  }

  /** Why the node on `port` does not serve yet. Undefined if it does. */
  async #unreadiness(port: number): Promise<string | undefined> {
    const { signal } = this.#stopping;
    const address = { origin: `http://127.0.0.1:${port}`, path: "/readyz", method: "GET" } as const;
    try {
      const answer = await this.#agent.request({ ...address, signal });
      const text = await answer.body.text();
      return answer.statusCode === 200 ? undefined : text.trim();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return (error as Error).message;
    }
  }
}

function endText(end: ChildEnd): string {
  if (end.error !== undefined) return `node ${end.name} could not be started: ${end.error.message}`;
  return end.signal === null
    ? `node ${end.name} ended with exit code ${end.code}`
    : `node ${end.name} was ended by ${end.signal}`;
}

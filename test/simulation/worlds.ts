/**
 * Runs worlds in a thread of its own. Node's test runner follows each promise of the thread that it runs in, and a
 * world consists of promises: there it takes a third more processor time. Tests that need only what came out of a world
 * ask for it here.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { packVariable } from "../harness/packed-modules.ts";
import type { FaultKind, Profile } from "./fault-kinds.ts";
import type { ScenarioResult } from "./scenario.ts";

/** As `planFor` takes them, and what differs from its plan. */
interface WorldRequest {
  readonly seed: number;
  readonly faults: Profile | readonly FaultKind[];
  readonly listMs?: number;
  readonly goesOn?: boolean;
  /** Functions with a planted bug, by the paths of their modules; where {@link Worlds.canPlant}. */
  readonly planted?: Readonly<Record<string, string>>;
}

const program = new URL("../harness/worlds-thread.cjs", import.meta.url);

/** Milliseconds for one world, a hundred times what it takes: a planted bug may keep it from ending. */
const worldMs = 60_000;

export class Worlds implements AsyncDisposable {
  /** Undefined until a world is asked for, and after one that did not end. */
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** Whether a world can have a planted bug: only in a whole run of the tests. */
  get canPlant(): boolean {
    return process.env[packVariable] !== undefined;
  }

  /** One world at a time, in the order in which they are asked for. Fails if the thread does. */
  async run(request: WorldRequest): Promise<ScenarioResult> {
    const result = this.#last.then(async () => await this.#runNext(request));
    this.#last = result.catch(() => undefined);
    return await result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  async #runNext(request: WorldRequest): Promise<ScenarioResult> {
    const worker = this.#worker ?? new Worker(program);
    this.#worker = worker;
    worker.postMessage(request);
    try {
      const [result] = (await once(worker, "message", { signal: AbortSignal.timeout(worldMs) })) as [ScenarioResult];
      return result;
    } catch (error) {
      this.#worker = undefined;
      await worker.terminate();
      throw error;
    }
  }
}

/**
 * Runs worlds in a thread of its own. Node's test runner follows each promise of the thread that it runs in, and a
 * world consists of promises: there it takes a third more processor time. Tests that need only what came out of a world
 * ask for it here.
 */

import { once } from "node:events";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import type { FaultKind, Profile } from "./fault-kinds.ts";
import { framesOfWorlds, runScenario, type ScenarioResult } from "./scenario.ts";
import { planFor } from "./scenario-plan.ts";
import { startMember } from "./sim-member.ts";

/** As {@link planFor} takes them, and what differs from its plan. */
interface WorldRequest {
  readonly seed: number;
  readonly faults: Profile | readonly FaultKind[];
  readonly listMs?: number;
  readonly goesOn?: boolean;
}

/** One world at a time: nothing else is asked for before the last one has ended. */
export class Worlds implements AsyncDisposable {
  readonly #worker = new Worker(new URL(import.meta.url));

  /** Fails if the thread does. */
  async run(request: WorldRequest): Promise<ScenarioResult> {
    this.#worker.postMessage(request);
    const [result] = (await once(this.#worker, "message")) as [ScenarioResult];
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

if (!isMainThread) {
  Error.stackTraceLimit = framesOfWorlds;
  parentPort?.on("message", ({ seed, faults, ...changes }: WorldRequest) => {
    // A rejection that nobody handles ends the thread.
    void runScenario({ ...planFor(seed, faults), ...changes }, startMember).then((result) =>
      parentPort?.postMessage(result),
    );
  });
}

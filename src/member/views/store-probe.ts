/**
 * The first thing that a member does with its store: it finds out whether the store can be used at all. A store that
 * does not answer is tried for as long as it takes. A store that refuses, or that several members cannot agree through,
 * ends the start with a message that says what to do.
 */

import { sleep } from "../../base/clock.ts";
import { isOperatingError, OperatingError, transientCodes } from "../../base/errors.ts";
import type { StoreAbilities } from "../../store/blob-store.ts";
import type { ContextOf } from "../context.ts";

/** One request of the probe may take so long, in milliseconds. */
const requestDeadlineMs = 10_000;
/** Pause before the store is tried again, in milliseconds. */
const pauseMs = 1_000;

/**
 * Finds out what the store is able to do.
 *
 * @param memberCount - how many members the configuration names
 * @throws OperatingError `store_refused`; the signal's reason when the signal is aborted.
 */
export async function probeStore(
  { store, clock, log }: ContextOf<"store" | "clock" | "log">,
  memberCount: number,
  signal: AbortSignal,
): Promise<StoreAbilities> {
  const abilities = await patiently();
  for (const note of abilities.notes) log.info("store", { store: store.description, note });
  // Several nodes could not agree on a view (F23).
  if (!abilities.conditionalWrites && memberCount > 1) {
    throw new OperatingError(
      "store_refused",
      `${store.description} ignores conditions on writes (If-Match, If-None-Match), so several nodes cannot agree through it: use a store that honours them, or a single node`,
    );
  }
  // Only this node's own file says that it is alone: nothing would keep a second one out.
  if (!abilities.conditionalWrites) {
    log.warn("the store ignores conditions on writes: no second node may ever be started over it", {
      store: store.description,
    });
  }

  return abilities;

  async function patiently(): Promise<StoreAbilities> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await store.probe({ deadlineMs: requestDeadlineMs });
      } catch (error) {
        if (!isOperatingError(error, ...transientCodes)) throw error;
        log.warn("the store does not answer, trying again", { store: store.description, error });
        await sleep(clock, pauseMs, signal);
      }
    }
  }
}

/** Plants each bug of the list in turn, and says which of them are found, and how soon. */

import { readCaught, writeCaught } from "../../simulation/caught.ts";
import { mutations } from "../../simulation/mutations.ts";
import type { Choices } from "./choices.ts";
import { describeHunt, hunt } from "./hunt.ts";

/** Two at a time: the machines that this runs on have two cores. */
const atOnce = 2;
const timeoutMs = 3_600_000;

/**
 * With `keeps`, the worlds where they were found are kept for the tests.
 * @returns whether all were found
 */
export async function plantAll({ count, mutation, keeps }: Choices): Promise<boolean> {
  // Those with a test of their own are found by worlds once in a million.
  const waiting = mutations.filter(
    (each) => each.test === undefined && (mutation === undefined || each.name.includes(mutation)),
  );
  const all = waiting.length;
  const caught = new Map(readCaught());
  let found = 0;
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await hunt(next, { caught: caught.get(next.name), count, timeoutMs, isStrict: keeps });
      console.log(describeHunt(next.name, result));
      if (result.kind !== "found") continue;
      found++;
      caught.set(next.name, { profile: result.profile, seed: result.seed });
      if (keeps) writeCaught(caught);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  console.log(`${found} of ${all} found`);
  return found === all;
}

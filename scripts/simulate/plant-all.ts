/** Plants each bug of the list in turn, and says which of them are found, and how soon. */

import { mutations } from "../../test/simulation/mutations.ts";
import type { Choices } from "./choices.ts";
import { describeHunt, hunt } from "./hunt.ts";

/** Two at a time: the machines that this runs on have two cores. */
const atOnce = 2;
const timeoutMs = 3_600_000;

/** @returns whether all were found */
export async function plantAll({ count, mutation }: Choices): Promise<boolean> {
  const waiting = mutations.filter((each) => mutation === undefined || each.name.includes(mutation));
  const all = waiting.length;
  let found = 0;
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await hunt(next, count, timeoutMs);
      if (result.kind === "found") found++;
      console.log(describeHunt(next.name, result));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  console.log(`${found} of ${all} found`);
  return found === all;
}

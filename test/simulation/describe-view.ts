/** A view in a line of a trace. */

import type { View } from "../../src/core/view.ts";
import { plainWeight } from "./scenario-plan.ts";

export function describeView(view: View): string {
  const names = (members: View["members"]): string =>
    members
      .map((each) => `${each.id}${each.weight === plainWeight ? "" : `(${each.weight / plainWeight})`}`)
      .join("") || "nobody";
  const before = view.lineage.map((past) => `${past.epoch} ${names(past.members)}`).join(", ");
  const lost = view.lost.map((past) => `${past.epoch} ${names(past.members)}`).join(", ");
  return [
    `${view.epoch}: ${names(view.members)}`,
    view.settled ? "settled" : `after ${before}${view.dropped ? ", a drop" : ""}`,
    ...(lost === "" ? [] : [`in doubt: ${lost}`]),
  ].join("; ");
}

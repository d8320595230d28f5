/** What is judged when a run is over: whether all that clients saw can be explained (P1), and whether the store holds it (P2). */

import { hash } from "node:crypto";
import { describeOperation, type History } from "./history.ts";
import { checkRegister } from "./linearizability.ts";
import type { Contents } from "./sim-client.ts";
import type { SimStore } from "./sim-store.ts";

/** Of what happened around a violation so many operations are shown. */
const shown = 25;

/** @param initial - by key: what was there before the first operation */
export function historyViolations(
  keys: readonly string[],
  history: History,
  initial: ReadonlyMap<string, string>,
): string[] {
  const violations: string[] = [];
  for (const key of keys) {
    const operations = history.operations(key);
    const verdict = checkRegister(operations, initial.get(key));
    if (verdict.kind === "linearizable") continue;
    const { calledAt, answeredAt } = verdict.operation;
    const around = operations.filter((each) => each.answeredAt > calledAt - 40 && each.calledAt <= answeredAt);
    violations.push(
      `P1: nothing explains ${key} up to ${describeOperation(verdict.operation)}\n  ${around.slice(-shown).map(describeOperation).join("\n  ")}`,
    );
  }
  return violations;
}

/** The store's object of each key must be what the last reads found. */
export function storeViolations(
  keys: readonly string[],
  history: History,
  contents: Contents,
  store: SimStore,
): string[] {
  const violations: string[] = [];
  for (const key of keys) {
    const last = history.operations(key).findLast((each) => each.action.kind === "get");
    const blob = store.peek(key);
    const stored = blob === undefined ? undefined : contents.withMd5(hash("md5", blob.body, "hex"));
    const expected = last?.outcome.kind === "value" ? last.outcome.value : undefined;
    if (stored?.name === expected && (blob === undefined) === (expected === undefined)) continue;
    violations.push(
      `P2: ${key} is ${expected ?? "missing"} for its readers, but the store has ${stored?.name ?? blob?.tag ?? "nothing"}`,
    );
  }
  return violations;
}

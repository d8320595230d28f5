/**
 * What is judged when a run is over: whether all that clients saw can be explained (P1), and whether the store holds it
 * (P2); the latter also when a client is told so.
 */

import { hash } from "node:crypto";
import { compareVersions, type Version } from "../../src/core/version.ts";
import { describeOperation, type History } from "../harness/history.ts";
import { checkRegister } from "../harness/linearizability.ts";
import type { Contents } from "./sim-client.ts";
import type { SimStore } from "./sim-store.ts";
import { type Deletion, versionOf } from "./store-watch.ts";
import { versionViolations } from "./version-check.ts";

/** Of what happened around a violation so many operations are shown. */
const shown = 25;

/**
 * @param initial - by key: what was there before the first operation
 * @param onTangled - called for each key of which nothing can be said
 */
export function historyViolations(
  keys: readonly string[],
  history: History,
  initial: ReadonlyMap<string, string>,
  onTangled: () => void,
): string[] {
  const violations: string[] = [];
  for (const key of keys) {
    const operations = history.operations(key);
    violations.push(...versionViolations(key, operations));
    const verdict = checkRegister(operations, initial.get(key));
    if (verdict.kind === "tangled") onTangled();
    if (verdict.kind !== "violation") continue;
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

/** Why the store, as it is now, has neither this version of the key nor a newer one; undefined if it has. */
export function notStored(
  store: SimStore,
  deletions: readonly Deletion[],
  key: string,
  version: Version,
  isDelete: boolean,
): string | undefined {
  const blob = store.peek(key);
  const wanted = `(${version.epoch}, ${version.seq})`;
  if (blob === undefined) {
    const isNewer = (each: Deletion): boolean =>
      each.key === key && (each.version === undefined || compareVersions(each.version, version) > 0);
    return isDelete || deletions.some(isNewer) ? undefined : `it has no object, nor was ${wanted} deleted`;
  }
  // Of what was uploaded the store does not tell the version.
  if (blob.upload !== undefined) return undefined;
  const found = versionOf(blob);
  const order = compareVersions(found, version);
  return (isDelete ? order > 0 : order >= 0) ? undefined : `it has (${found.epoch}, ${found.seq}), not ${wanted}`;
}

/**
 * What clients are told of versions (`Weir-Version`) must never go back in real time, and a write has one of them. The
 * history alone does not show everything of this: an operation whose outcome is unknown explains almost anything, a
 * write that is done twice among them.
 */

import { compareVersions, type Version } from "../../src/core/version.ts";
import { describeOperation, type RegisterOperation } from "../harness/history.ts";

/** @param operations - of one key, in the order of their calls */
export function versionViolations(key: string, operations: readonly RegisterOperation[]): string[] {
  // What an operator gives up is replaced by what the store has, which is of no version of ours.
  if (operations.some(({ action }) => action.kind === "drop")) return [];
  const told = operations.flatMap((operation) => {
    const { version } = operation;
    // Objects that others have made have none of an epoch.
    return version === undefined || version.epoch === 0 ? [] : { operation, version };
  });
  return [...wentBack(key, told), ...twice(key, told, operations)].slice(0, 3);
}

interface Told {
  readonly operation: RegisterOperation;
  readonly version: Version;
}

function wentBack(key: string, told: readonly Told[]): string[] {
  const answered = told.toSorted((a, b) => a.operation.answeredAt - b.operation.answeredAt);
  const violations: string[] = [];
  let newest: Told | undefined;
  let next = 0;
  for (const later of told) {
    for (; (answered[next]?.operation.answeredAt ?? Number.POSITIVE_INFINITY) < later.operation.calledAt; next++) {
      const each = answered[next] as Told;
      if (!newest || compareVersions(each.version, newest.version) > 0) newest = each;
    }
    if (!newest) continue;
    const order = compareVersions(newest.version, later.version);
    if (order < 0 || (order === 0 && later.operation.action.kind === "get")) continue;
    violations.push(`P1: the version of ${key} goes back from ${describe(newest)} to ${describe(later)}`);
  }
  return violations;
}

function twice(key: string, told: readonly Told[], operations: readonly RegisterOperation[]): string[] {
  const puts = Map.groupBy(operations, ({ action }) => (action.kind === "put" ? action.value : undefined));
  const first = new Map<string, Told>();
  const violations: string[] = [];
  for (const each of told) {
    const name = contentOf(each.operation);
    // The same content may have been written by several.
    if (name === undefined || puts.get(name)?.length !== 1) continue;
    const earlier = first.get(name);
    if (!earlier) first.set(name, each);
    else if (compareVersions(earlier.version, each.version) !== 0) {
      violations.push(`P1: one write of ${key} has two versions: ${describe(earlier)} and ${describe(each)}`);
    }
  }
  return violations;
}

function contentOf({ action, outcome }: RegisterOperation): string | undefined {
  if (action.kind === "put" && outcome.kind === "written") return action.value;
  return outcome.kind === "value" ? outcome.value : undefined;
}

function describe({ operation, version }: Told): string {
  return `${version.epoch}.${version.seq} ${describeOperation(operation)}`;
}

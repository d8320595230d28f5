/**
 * Checks that what clients saw of one key can be explained by a single register: each operation taking effect at one instant between
 * its call and its answer, those of unknown outcome at any later time or never. The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993)
 * with Lowe's memory of visited configurations ("Testing for linearizability", 2017), and two short cuts that keep hundreds of operations fast:
 *
 * - An operation that changes nothing and whose answer fits the present state is taken at once and never reconsidered: wherever else it
 *   could go, it can also go here.
 * - Operations of unknown outcome that are alike (same condition; deletes, or puts of values that no answer names) are taken in the order of their calls only:
 *   any explanation that uses a later one can use the earlier one in its place.
 */

import { assert, unreachable } from "../../src/base/assert.ts";
import type { RegisterAction, RegisterCondition, RegisterOperation } from "./history.ts";

export type Verdict =
  | { readonly kind: "linearizable" }
  /** No order explains the history up to and including `operation`'s answer, although one explains it without. */
  | { readonly kind: "violation"; readonly operation: RegisterOperation };

/** The register: the name of its value, or undefined when there is none. */
type State = string | undefined;

/** Configurations searched before the check gives up; a history of 500 operations by 8 clients needs a few thousand. */
const maxConfigurations = 2_000_000;

/**
 * @param operations of one key, in the order of their calls.
 * @param initial the value before the first operation.
 * @throws Error when the search takes too long: neither verdict is known then.
 */
export function checkRegister(operations: readonly RegisterOperation[], initial?: string): Verdict {
  if (explains(operations, initial)) return { kind: "linearizable" };
  // The earliest answer that breaks it is what a person wants to see, and answers only ever break more: search by halves.
  const answered = operations.filter((each) => each.answeredAt !== Number.POSITIVE_INFINITY);
  answered.sort((a, b) => a.answeredAt - b.answeredAt);
  let good = 0;
  let bad = answered.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (explains(truncated(operations, (answered[middle - 1] as RegisterOperation).answeredAt), initial)) good = middle;
    else bad = middle;
  }
  const operation = answered[bad - 1];
  assert(operation !== undefined, "a history without answers is explained by itself");
  return { kind: "violation", operation };
}

/** The history as it was known at `position`: what was answered later is of unknown outcome, what was called later is not there. */
function truncated(operations: readonly RegisterOperation[], position: number): RegisterOperation[] {
  return operations
    .filter((each) => each.calledAt <= position)
    .map((each): RegisterOperation => {
      if (each.answeredAt <= position) return each;
      return { ...each, outcome: { kind: "unknown" }, answeredAt: Number.POSITIVE_INFINITY };
    })
    .filter((each) => each.outcome.kind !== "unknown" || each.action.kind !== "get");
}

/** One call or answer in the list of what is not yet explained. */
interface Item {
  readonly operation: number;
  readonly isCall: boolean;
  previous: Item;
  next: Item;
}

interface Step {
  readonly call: Item;
  readonly before: State;
  /** There is no alternative worth trying. */
  readonly forced: boolean;
}

function explains(operations: readonly RegisterOperation[], initial: State): boolean {
  const { head, answers } = itemsOf(operations);
  const named = namedValues(operations);
  const alikeBefore = earlierAlike(operations, named);
  const taken = new Uint16Array(Math.ceil(operations.length / 16));
  const seen = new Set<string>();
  const steps: Step[] = [];
  let state = initial;
  let open = operations.filter((each) => each.outcome.kind !== "unknown").length;

  const isTaken = (index: number): boolean => ((taken[index >> 4] as number) & (1 << (index & 15))) !== 0;
  const take = (call: Item, after: State, forced: boolean): void => {
    steps.push({ call, before: state, forced });
    unlink(call);
    const answer = answers[call.operation];
    if (answer !== undefined) {
      unlink(answer);
      open--;
    }
    taken[call.operation >> 4] = (taken[call.operation >> 4] as number) | (1 << (call.operation & 15));
    state = after;
  };
  const untake = (step: Step): void => {
    const index = step.call.operation;
    const answer = answers[index];
    if (answer !== undefined) {
      relink(answer);
      open++;
    }
    relink(step.call);
    taken[index >> 4] = (taken[index >> 4] as number) & ~(1 << (index & 15));
    state = step.before;
  };

  let item = head.next;
  while (open > 0) {
    if (item === head.next) {
      const free = findFree(head, operations, state);
      if (free !== undefined) {
        take(free, state, true);
        item = head.next;
        continue;
      }
    }
    if (item !== head && item.isCall) {
      const operation = operations[item.operation] as RegisterOperation;
      const alike = alikeBefore[item.operation] as number;
      const result = alike >= 0 && !isTaken(alike) ? undefined : apply(operation, state);
      if (result?.changes === true && isNew(item.operation, result.after)) {
        take(item, result.after, false);
        item = head.next;
      } else {
        item = item.next;
      }
      continue;
    }
    // An answer: its operation must come before everything behind it, and nothing in front of it fits. Go back.
    let step = steps.pop();
    while (step?.forced === true) {
      untake(step);
      step = steps.pop();
    }
    if (step === undefined) return false;
    untake(step);
    item = step.call.next;
  }
  return true;

  function isNew(index: number, after: State): boolean {
    taken[index >> 4] = (taken[index >> 4] as number) | (1 << (index & 15));
    // Values that no answer and no condition names are all the same to what follows.
    const rest = after === undefined ? "" : named.has(after) ? `=${after}` : "?";
    const configuration = `${String.fromCharCode(...taken)}${rest}`;
    taken[index >> 4] = (taken[index >> 4] as number) & ~(1 << (index & 15));
    if (seen.has(configuration)) return false;
    if (seen.size >= maxConfigurations) throw new Error("the history is too tangled to be checked");
    seen.add(configuration);
    return true;
  }
}

/** A call in front of the first answer that changes nothing and whose own answer fits `state`. */
function findFree(head: Item, operations: readonly RegisterOperation[], state: State): Item | undefined {
  for (let item = head.next; item !== head && item.isCall; item = item.next) {
    const operation = operations[item.operation] as RegisterOperation;
    if (operation.outcome.kind === "unknown") continue;
    const result = apply(operation, state);
    if (result !== undefined && !result.changes) return item;
  }
  return undefined;
}

/** What the operation does to `state` if it is to have its outcome; undefined when it can't have had it there. */
function apply(operation: RegisterOperation, state: State): { after: State; changes: boolean } | undefined {
  const { action, outcome } = operation;
  switch (outcome.kind) {
    case "value":
      return action.kind === "get" && state === outcome.value ? { after: state, changes: false } : undefined;
    case "missing":
      return action.kind === "get" && state === undefined ? { after: state, changes: false } : undefined;
    case "condition_failed":
      return action.kind !== "get" && !holds(action.condition, state) ? { after: state, changes: false } : undefined;
    case "written":
    case "unknown": {
      if (action.kind === "get" || !holds(action.condition, state)) return undefined;
      const after = action.kind === "put" ? action.value : undefined;
      // Taken even when the state stays as it is, but as a step like any other: it may be worth more later.
      return { after, changes: true };
    }
    default:
      return unreachable(outcome);
  }
}

export function holds(condition: RegisterCondition | undefined, state: State): boolean {
  if (condition === undefined) return true;
  const matches = (names: readonly string[]): boolean =>
    state !== undefined && (names.includes("*") || names.includes(state));
  if (condition.match !== undefined && !matches(condition.match)) return false;
  return condition.noneMatch === undefined || !matches(condition.noneMatch);
}

/** Calls and answers as a ring in the order in which they happened; operations of unknown outcome have no answer in it. */
function itemsOf(operations: readonly RegisterOperation[]): { head: Item; answers: (Item | undefined)[] } {
  const answers: (Item | undefined)[] = operations.map(() => undefined);
  const placed: { at: number; item: Item }[] = [];
  for (const [index, operation] of operations.entries()) {
    assert(operation.calledAt < operation.answeredAt, "an answer follows its call");
    placed.push({ at: operation.calledAt, item: newItem(index, true) });
    if (operation.outcome.kind !== "unknown") {
      const answer = newItem(index, false);
      answers[index] = answer;
      placed.push({ at: operation.answeredAt, item: answer });
    }
  }
  placed.sort((a, b) => a.at - b.at);
  const head = newItem(-1, false);
  for (const { item } of placed) {
    item.previous = head.previous;
    item.next = head;
    relink(item);
  }
  return { head, answers };
}

function newItem(operation: number, isCall: boolean): Item {
  const item = { operation, isCall } as Item;
  item.previous = item;
  item.next = item;
  return item;
}

function unlink(item: Item): void {
  item.previous.next = item.next;
  item.next.previous = item.previous;
}

function relink(item: Item): void {
  item.previous.next = item;
  item.next.previous = item;
}

/** Values that an answer or a condition names. */
function namedValues(operations: readonly RegisterOperation[]): ReadonlySet<string> {
  const named = new Set<string>();
  for (const { action, outcome } of operations) {
    if (outcome.kind === "value") named.add(outcome.value);
    if (action.kind === "get") continue;
    for (const name of action.condition?.match ?? []) named.add(name);
    for (const name of action.condition?.noneMatch ?? []) named.add(name);
  }
  return named;
}

/** For each operation of unknown outcome, the one before it that is alike; -1 when there is none. */
function earlierAlike(operations: readonly RegisterOperation[], named: ReadonlySet<string>): Int32Array {
  const last = new Map<string, number>();
  const result = new Int32Array(operations.length).fill(-1);
  for (const [index, { action, outcome }] of operations.entries()) {
    if (outcome.kind !== "unknown") continue;
    const kind = kindOf(action, named);
    result[index] = last.get(kind) ?? -1;
    last.set(kind, index);
  }
  return result;
}

function kindOf(action: RegisterAction, named: ReadonlySet<string>): string {
  assert(action.kind !== "get", "a read of unknown outcome says nothing");
  const effect = action.kind === "delete" ? "delete" : named.has(action.value) ? `put ${action.value}` : "put";
  return `${effect} ${JSON.stringify(action.condition ?? null)}`;
}

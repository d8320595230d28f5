/**
 * Checks that what clients saw of one key can be explained by a single register: each operation taking effect at one
 * instant between its call and its answer, those of unknown outcome at any later time or never. The search is Wing and
 * Gong's ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of visited configurations ("Testing for
 * linearizability", 2017), and short cuts that keep hundreds of operations fast:
 *
 * - An operation that changes nothing and whose answer fits the present state is taken at once and never reconsidered:
 * wherever else it
 *   could go, it can also go here.
 * - Operations of unknown outcome that are alike (same condition; deletes, or puts of values that no answer names) are
 * taken in the order of their calls only:
 *   any explanation that uses a later one can use the earlier one in its place.
 * - Values that nothing names which is still to be explained are all the same.
 *
 * Where operations of unknown outcome mostly took effect they are found soonest in the order of their calls, and where
 * they mostly did not if they are tried last: a search that takes long is given up for the other one.
 */

import { assert, unreachable } from "../../src/base/assert.ts";
import type { RegisterAction, RegisterCondition, RegisterOperation } from "./history.ts";

export type Verdict =
  | { readonly kind: "linearizable" }
  /**
   * No order explains the history up to and including `operation`'s answer, although one explains it without, or that
   * would take too long to find out.
   */
  | { readonly kind: "violation"; readonly operation: RegisterOperation }
  /** The search takes too long: nothing is known of the history. */
  | { readonly kind: "tangled" };

/** The register: the name of its value, or undefined when there is none. */
type State = string | undefined;

/**
 * Configurations searched, in each of the two orders, before the check gives up; a history of 500 operations by 8
 * clients needs a few thousand.
 */
const mostConfigurations = 1_000_000;
/** And at first, before the other order is tried. */
const firstConfigurations = 50_000;

/** Sixteen operations, of which each is taken. */
const allTaken = 0xff_ff;

/**
 * @param operations of one key, in the order of their calls.
 * @param initial the value before the first operation.
 */
export function checkRegister(
  operations: readonly RegisterOperation[],
  initial?: string,
  maxConfigurations: number = mostConfigurations,
): Verdict {
  const found = explain(operations, initial, maxConfigurations);
  if (found.kind !== "unexplained") return { kind: found.kind === "explained" ? "linearizable" : "tangled" };
  // The earliest answer that breaks it is what a person wants to see, and answers only ever break more: search by
  // halves.
  const answered = operations.filter((each) => each.answeredAt !== Number.POSITIVE_INFINITY);
  answered.sort((a, b) => a.answeredAt - b.answeredAt);
  // An order explains all answers in front of the one that none got behind. Mostly that is the one.
  let good = answered.findIndex(({ answeredAt }) => answeredAt >= found.stuckAt);
  let bad = answered.length;
  let middle = good + 1;
  while (bad - good > 1) {
    const known = truncated(operations, (answered[middle - 1] as RegisterOperation).answeredAt);
    if (explain(known, initial, maxConfigurations).kind === "unexplained") bad = middle;
    else good = middle;
    middle = (good + bad) >> 1;
  }
  const operation = answered[bad - 1];
  assert(operation !== undefined, "a history without answers is explained by itself");
  return { kind: "violation", operation };
}

/**
 * The history as it was known at `position`: what was answered later is of unknown outcome, what was called later is
 * not there.
 */
function truncated(operations: readonly RegisterOperation[], position: number): RegisterOperation[] {
  return operations
    .filter((each) => each.calledAt <= position)
    .map((each): RegisterOperation => {
      if (each.answeredAt <= position) return each;
      return { ...each, outcome: { kind: "unknown" }, answeredAt: Number.POSITIVE_INFINITY };
    })
    .filter((each) => each.outcome.kind !== "unknown" || each.action.kind !== "get");
}

/** One call or answer in a list of what is not yet explained. */
interface Item {
  readonly operation: number;
  readonly isCall: boolean;
  /** Its position in the history. */
  readonly at: number;
  previous: Item;
  next: Item;
}

interface Step {
  readonly call: Item;
  readonly before: State;
  /** There is no alternative worth trying. */
  readonly forced: boolean;
}

type Explanation =
  | { readonly kind: "explained" | "tangled" }
  /** No order has got behind the answer at `stuckAt`. One explains all answers in front of it. */
  | { readonly kind: "unexplained"; readonly stuckAt: number };

function explain(operations: readonly RegisterOperation[], initial: State, maxConfigurations: number): Explanation {
  for (const limit of [Math.min(firstConfigurations, maxConfigurations), maxConfigurations]) {
    for (const triesUnknownLast of [false, true]) {
      const found = search(operations, initial, triesUnknownLast, limit);
      if (found.kind !== "tangled") return found;
    }
  }
  return { kind: "tangled" };
}

function search(
  operations: readonly RegisterOperation[],
  initial: State,
  triesUnknownLast: boolean,
  maxConfigurations: number,
): Explanation {
  const { head, unknown, answers } = itemsOf(operations, triesUnknownLast);
  const names = operations.map(namesOf);
  const naming = countNames(names);
  const alikeBefore = earlierAlike(operations, new Set(naming.keys()));
  const taken = new Uint16Array(Math.ceil(operations.length / 16));
  /** Configurations that have been there, by the state that they end in. */
  const seen = new Map<string, Set<string>>();
  let seenCount = 0;
  /** Has room for a configuration's text. Text of a buffer is made several times faster than of character codes. */
  const text = Buffer.alloc(2 * (taken.length + 1));
  const codes = new Uint16Array(text.buffer, text.byteOffset, taken.length + 1);
  const steps: Step[] = [];
  let state = initial;
  let open = operations.filter((each) => each.outcome.kind !== "unknown").length;

  const isTaken = (index: number): boolean => ((taken[index >> 4] as number) & (1 << (index & 15))) !== 0;
  /** Notes that the operation is taken, or is not any more. */
  const mark = (index: number, by: 1 | -1): void => {
    taken[index >> 4] = (taken[index >> 4] as number) ^ (1 << (index & 15));
    for (const name of names[index] as readonly string[]) naming.set(name, (naming.get(name) ?? 0) - by);
  };
  const take = (call: Item, after: State, forced: boolean): void => {
    steps.push({ call, before: state, forced });
    unlink(call);
    const answer = answers[call.operation];
    if (answer !== undefined) {
      unlink(answer);
      open--;
    }
    mark(call.operation, 1);
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
    mark(index, -1);
    state = step.before;
  };
  /** Whether the configuration in which the operation is taken, too, has not been there before. */
  const isNew = (index: number, after: State): boolean => {
    mark(index, 1);
    const isNamed = after !== undefined && (naming.get(after) ?? 0) > 0;
    // Of a long history most is taken up to some point, and nothing behind another: neither has to be spelled out.
    let from = 0;
    let to = taken.length;
    while (taken[from] === allTaken) from++;
    while (to > from && taken[to - 1] === 0) to--;
    codes[0] = from;
    for (let at = from; at < to; at++) codes[at - from + 1] = taken[at] as number;
    const configuration = text.toString("utf16le", 0, 2 * (to - from + 1));
    mark(index, -1);
    const stateText = after === undefined ? "" : isNamed ? `=${after}` : "?";
    const alike = seen.get(stateText) ?? new Set();
    if (alike.has(configuration)) return false;
    seen.set(stateText, alike.add(configuration));
    seenCount++;
    return true;
  };
  /** Takes the first call from `item` on that fits and leads to something new, in front of the first answer. */
  const takeOne = (item: Item): boolean => {
    const limitAt = firstAnswer(head).at;
    for (let each = item; ; each = each.next) {
      if (each === unknown || each.at > limitAt) return false;
      if (!each.isCall) {
        each = unknown; // behind the others come those that are tried last
        continue;
      }
      const alike = alikeBefore[each.operation] as number;
      if (alike >= 0 && !isTaken(alike)) continue;
      for (const after of outcomesOf(operations[each.operation] as RegisterOperation, state)) {
        if (!isNew(each.operation, after)) continue;
        take(each, after, false);
        return true;
      }
    }
  };

  let stuckAt = 0;
  let item = head.next;
  while (open > 0) {
    const free = item === head.next ? findFree(head, operations, state) : undefined;
    if (free !== undefined) {
      take(free, state, true);
      item = head.next;
      continue;
    }
    if (takeOne(item)) {
      if (seenCount > maxConfigurations) return { kind: "tangled" };
      item = head.next;
      continue;
    }
    // The first answer's operation must come before everything behind it, and nothing in front of it fits. Go back.
    stuckAt = Math.max(stuckAt, firstAnswer(head).at);
    let step = steps.pop();
    while (step?.forced === true) {
      untake(step);
      step = steps.pop();
    }
    if (step === undefined) return { kind: "unexplained", stuckAt };
    untake(step);
    // It may have another outcome there.
    item = step.call;
  }
  return { kind: "explained" };
}

/** The first answer in the list of what is not yet explained, of which there is one. */
function firstAnswer(head: Item): Item {
  let item = head.next;
  while (item.isCall) item = item.next;
  return item;
}

/** A call in front of the first answer that changes nothing and whose own answer fits `state`. */
function findFree(head: Item, operations: readonly RegisterOperation[], state: State): Item | undefined {
  for (let item = head.next; item !== head && item.isCall; item = item.next) {
    if (fits(operations[item.operation] as RegisterOperation, state)) return item;
  }
  return undefined;
}

/** Whether the operation changes nothing and can have had its outcome at `state`. */
function fits({ action, outcome }: RegisterOperation, state: State): boolean {
  switch (outcome.kind) {
    case "value":
      return action.kind === "get" && state === outcome.value;
    case "missing":
      return action.kind === "get" && state === undefined;
    case "condition_failed":
      return action.kind !== "get" && !holds(action.condition, state);
    case "written":
    case "unknown":
      return false;
    default:
      return unreachable(outcome);
  }
}

/**
 * What a write may make of `state`; nothing when it can't have taken effect there. Also where it stays as it is: that
 * may be worth more later.
 */
function outcomesOf({ action, outcome }: RegisterOperation, state: State): readonly State[] {
  const isDone = outcome.kind === "written" || outcome.kind === "unknown";
  if (!isDone || action.kind === "get" || !holds(action.condition, state)) return [];
  return effectsOf(action);
}

/** The states that a write may leave behind. */
export function effectsOf(action: Exclude<RegisterAction, { kind: "get" }>): readonly State[] {
  switch (action.kind) {
    case "put":
      return [action.value];
    case "delete":
      return [undefined];
    case "drop":
      return action.values;
    default:
      return unreachable(action);
  }
}

export function holds(condition: RegisterCondition | undefined, state: State): boolean {
  if (condition === undefined) return true;
  const matches = (names: readonly string[]): boolean =>
    state !== undefined && (names.includes("*") || names.includes(state));
  if (condition.match !== undefined && !matches(condition.match)) return false;
  return condition.noneMatch === undefined || !matches(condition.noneMatch);
}

/**
 * Calls and answers as a ring in the order in which they happened; operations of unknown outcome have no answer in it.
 * With `triesUnknownLast` these are in another ring, `unknown`, which is empty without.
 */
function itemsOf(
  operations: readonly RegisterOperation[],
  triesUnknownLast: boolean,
): {
  head: Item;
  unknown: Item;
  answers: (Item | undefined)[];
} {
  const answers: (Item | undefined)[] = operations.map(() => undefined);
  const placed: Item[] = [];
  const unknown = newItem(-1, false, Number.NEGATIVE_INFINITY);
  for (const [index, operation] of operations.entries()) {
    assert(operation.calledAt < operation.answeredAt, "an answer follows its call");
    const call = newItem(index, true, operation.calledAt);
    if (operation.outcome.kind === "unknown") {
      if (triesUnknownLast) append(unknown, call);
      else placed.push(call);
      continue;
    }
    const answer = newItem(index, false, operation.answeredAt);
    answers[index] = answer;
    placed.push(call, answer);
  }
  placed.sort((a, b) => a.at - b.at);
  const head = newItem(-1, false, Number.NEGATIVE_INFINITY);
  for (const item of placed) append(head, item);
  return { head, unknown, answers };
}

function newItem(operation: number, isCall: boolean, at: number): Item {
  const item = { operation, isCall, at } as Item;
  item.previous = item;
  item.next = item;
  return item;
}

function append(head: Item, item: Item): void {
  item.previous = head.previous;
  item.next = head;
  relink(item);
}

function unlink(item: Item): void {
  item.previous.next = item.next;
  item.next.previous = item.previous;
}

function relink(item: Item): void {
  item.previous.next = item;
  item.next.previous = item;
}

/** The values that the operation's answer or condition names. */
function namesOf({ action, outcome }: RegisterOperation): readonly string[] {
  const read = outcome.kind === "value" ? [outcome.value] : [];
  if (action.kind === "get") return read;
  return [...read, ...(action.condition?.match ?? []), ...(action.condition?.noneMatch ?? [])];
}

/** How often each value is named. */
function countNames(names: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
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
  const value = action.kind === "put" && named.has(action.value) ? action.value : "";
  const effect = action.kind === "drop" ? `drop ${JSON.stringify(action.values)}` : `${action.kind} ${value}`;
  return `${effect} ${JSON.stringify(action.condition ?? null)}`;
}

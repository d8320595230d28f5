/**
 * What clients saw of one key: each operation with the instants of its call and its answer. It is all that the
 * linearizability checker gets, so it knows nothing of members or stores.
 */

import { assert } from "../../src/base/assert.ts";
import type { Version } from "../../src/core/version.ts";

/** Requirements on the state that a write replaces: names of values, or `*` for any value. */
export interface RegisterCondition {
  readonly match?: readonly string[];
  readonly noneMatch?: readonly string[];
}

/** What a client may do. */
export type ClientAction =
  | { readonly kind: "get" }
  /** `value` names the content: the same content, the same name; `stored`: the answer waits for the store. */
  | {
      readonly kind: "put";
      readonly value: string;
      readonly condition?: RegisterCondition;
      readonly stored?: boolean;
    }
  | { readonly kind: "delete"; readonly condition?: RegisterCondition; readonly stored?: boolean };

export type RegisterAction =
  | ClientAction
  /**
   * A write of what the store has, by an operator: one of these, undefined where it has nothing. More may be added as
   * long as it is open.
   */
  | {
      readonly kind: "drop";
      readonly values: readonly (string | undefined)[];
      readonly condition?: never;
      readonly stored?: never;
    };

export type RegisterOutcome =
  | { readonly kind: "value"; readonly value: string }
  | { readonly kind: "missing" }
  | { readonly kind: "written" }
  | { readonly kind: "condition_failed" }
  /** No answer, or one that leaves it open: takes effect at some time after its call, or never. */
  | { readonly kind: "unknown" };

export interface RegisterOperation {
  /** Who did it, and what a reader of a failed check should know. */
  readonly label: string;
  readonly action: RegisterAction;
  readonly outcome: RegisterOutcome;
  /** What the client was told of its version; undefined where nothing is promised of that. */
  readonly version?: Version | undefined;
  /** Position of the call among all calls and answers of the history. */
  readonly calledAt: number;
  /** Position of the answer; Infinity when the outcome is unknown. */
  readonly answeredAt: number;
}

export interface Invocation {
  readonly key: string;
  readonly index: number;
}

export class History {
  readonly #keys = new Map<string, RegisterOperation[]>();
  readonly #refused = new Set<RegisterOperation>();
  #position = 0;

  /** Notes a call. Until it is answered its outcome is unknown. */
  call(key: string, label: string, action: RegisterAction): Invocation {
    let operations = this.#keys.get(key);
    if (operations === undefined) {
      operations = [];
      this.#keys.set(key, operations);
    }
    operations.push({
      label,
      action,
      outcome: { kind: "unknown" },
      calledAt: this.#position++,
      answeredAt: Number.POSITIVE_INFINITY,
    });
    return { key, index: operations.length - 1 };
  }

  /** A position among the calls and answers, of what is neither. */
  moment(): number {
    return this.#position++;
  }

  answer(invocation: Invocation, outcome: RegisterOutcome, version?: Version): void {
    const operations = this.#keys.get(invocation.key);
    const operation = operations?.[invocation.index];
    assert(operations !== undefined && operation !== undefined, "what is answered was called");
    assert(operation.answeredAt === Number.POSITIVE_INFINITY, "an operation is answered once");
    if (outcome.kind === "unknown") return;
    operations[invocation.index] = { ...operation, outcome, version, answeredAt: this.#position++ };
  }

  /** The operation was refused and had no effect: as if it had never been called. */
  refuse(invocation: Invocation): void {
    const operations = this.#keys.get(invocation.key);
    const operation = operations?.[invocation.index];
    assert(operations !== undefined && operation !== undefined, "what is refused was called");
    assert(operation.answeredAt === Number.POSITIVE_INFINITY, "an operation is answered once");
    this.#refused.add(operation);
  }

  /** The operations of a key in the order of their calls; reads without an answer say nothing and are left out. */
  operations(key: string): RegisterOperation[] {
    const all = this.#keys.get(key) ?? [];
    return all.filter((each) => {
      return each.outcome.kind !== "unknown" || (each.action.kind !== "get" && !this.#refused.has(each));
    });
  }

  /** Operations that were answered, of all keys. */
  get answered(): number {
    let count = 0;
    for (const operations of this.#keys.values()) {
      for (const each of operations) if (each.outcome.kind !== "unknown") count++;
    }
    return count;
  }
}

/** A person's line for an operation. */
export function describeOperation(operation: RegisterOperation): string {
  const { action, outcome } = operation;
  const condition =
    action.kind === "get" || action.condition === undefined ? "" : ` if ${JSON.stringify(action.condition)}`;
  const stored = action.kind !== "get" && action.stored === true ? " into the store" : "";
  const detail =
    action.kind === "put" ? ` ${action.value}` : action.kind === "drop" ? ` to ${JSON.stringify(action.values)}` : "";
  const what = `${action.kind}${detail}${stored}`;
  const result = outcome.kind === "value" ? outcome.value : outcome.kind;
  return `[${operation.calledAt}..${operation.answeredAt}] ${operation.label}: ${what}${condition} -> ${result}`;
}

/** What a fault cost, as one line, and all faults of a run as a table by kind. */

import { Ring } from "../../../src/core/ring.ts";
import type { MemberStatus } from "../../../src/core/status.ts";
import type { Fault, FaultKind } from "./fault.ts";
import type { Feeling } from "./fault-watch.ts";

export interface FaultReport {
  readonly kind: FaultKind;
  readonly feeling: Readonly<Feeling>;
  /** Milliseconds from healing until all nodes served in a settled view. */
  readonly settledMs: number;
  /** Milliseconds from then until the store had everything of before. */
  readonly storedMs: number;
  readonly violations: number;
  /**
   * How long operations took on keys that the lost node did not own, before the fault and since; empty if none was
   * lost.
   */
  readonly untouchedBefore: readonly number[];
  readonly untouchedDuring: readonly number[];
  readonly line: string;
}

export interface FaultOutcome {
  readonly fault: Fault;
  readonly feeling: Readonly<Feeling>;
  /** The members before the fault. */
  readonly before: readonly MemberStatus[];
  readonly settledMs: number;
  readonly storedMs: number;
  readonly violations: number;
  readonly notes: readonly string[];
}

const replicas = 2;

export function reportOf(outcome: FaultOutcome): FaultReport {
  const { fault, feeling, before, settledMs, storedMs, violations, notes } = outcome;
  const ring = new Ring(
    before.map(({ id, weight, zone }) => ({ id, weight, zone })),
    replicas,
  );
  const { lost } = fault;
  const untouched = (samples: Feeling["before"]): number[] =>
    lost === undefined ? [] : samples.filter(({ key }) => !ring.ownersOf(key).includes(lost)).map(({ ms }) => ms);
  const parts = [
    `${fault.kind} (${fault.name})`,
    `longest gap ${seconds(feeling.longestGapMs)}`,
    errorsOf(feeling),
    `settled ${seconds(settledMs)} after`,
    `stored ${seconds(storedMs)} later`,
    ...notes,
    ...(violations > 0 ? [`${violations} VIOLATIONS`] : []),
  ];
  return {
    kind: fault.kind,
    feeling,
    settledMs,
    storedMs,
    violations,
    untouchedBefore: untouched(feeling.before),
    untouchedDuring: untouched(feeling.during),
    line: parts.join(", "),
  };
}

/** A row for each kind of fault. */
export function table(reports: readonly FaultReport[]): string {
  const header = ["fault", "count", "longest gap", "longest wait", "errors", "settled", "stored", "violations"];
  const kinds = [...new Set(reports.map(({ kind }) => kind))].toSorted();
  const rows = kinds.map((kind) => {
    const all = reports.filter((report) => report.kind === kind);
    return [
      kind,
      `${all.length}`,
      seconds(Math.max(...all.map(({ feeling }) => feeling.longestGapMs))),
      seconds(Math.max(...all.map(({ feeling }) => feeling.longestWaitMs))),
      errorsInAll(all),
      seconds(Math.max(...all.map(({ settledMs }) => settledMs))),
      seconds(Math.max(...all.map(({ storedMs }) => storedMs))),
      `${all.reduce((sum, { violations }) => sum + violations, 0)}`,
    ];
  });
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length)));
  return lines
    .map((line) => `${line.map((cell, column) => cell.padEnd(widths[column] as number)).join("  ")}\n`)
    .join("");
}

/** What a view change costs those whom it does not concern; undefined without samples. */
export function untouchedLine(reports: readonly FaultReport[]): string | undefined {
  const before = reports.flatMap(({ untouchedBefore }) => untouchedBefore);
  const during = reports.flatMap(({ untouchedDuring }) => untouchedDuring);
  if (before.length === 0 || during.length === 0) return undefined;
  const p99 = (samples: readonly number[]): string => `${quantile(samples, 0.99).toFixed(1)} ms`;
  return `p99 on keys that the lost node did not own: ${p99(before)} before (${before.length}), ${p99(during)} since (${during.length})`;
}

function quantile(samples: readonly number[], part: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}

function errorsOf({ errors, storeErrors }: Feeling): string {
  if (errors === 0) return "no errors";
  return storeErrors === 0
    ? `${errors} errors`
    : `${errors - storeErrors} errors and ${storeErrors} for want of the store`;
}

function errorsInAll(reports: readonly FaultReport[]): string {
  const errors = reports.reduce((sum, { feeling }) => sum + feeling.errors, 0);
  const storeErrors = reports.reduce((sum, { feeling }) => sum + feeling.storeErrors, 0);
  return storeErrors === 0 ? `${errors}` : `${errors - storeErrors} (and ${storeErrors} store)`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** What a measurement comes to: rows of a table, with the target of each where there is one. */

export interface Row {
  readonly what: string;
  /** What weir does, with its unit. */
  readonly weir: string;
  /** What it is compared with, and what that does. */
  readonly against: string;
  /** The figure that the target is about. */
  readonly figure: number;
  /** Decimals of it that mean something. */
  readonly digits: number;
  readonly unit: string;
  readonly target?: { readonly least: number } | { readonly most: number };
}

/** The rows as a Markdown table. */
export function formatTable(rows: readonly Row[]): string {
  const lines = rows.map(({ what, weir, against, figure, digits, unit, target }) =>
    [what, weir, against, `${figure.toFixed(digits)}${unit}`, ...judge(figure, target, unit)].join(" | "),
  );
  return ["what | weir | against | figure | target | reached", "--- | --- | --- | --- | --- | ---", ...lines]
    .map((line) => `| ${line} |`)
    .join("\n");
}

function judge(figure: number, target: Row["target"], unit: string): [string, string] {
  if (target === undefined) return ["", ""];
  const isLeast = "least" in target;
  const bound = isLeast ? target.least : target.most;
  const reached = isLeast ? figure >= bound : figure <= bound;
  return [`${isLeast ? "≥" : "≤"} ${bound}${unit}`, reached ? "yes" : "**no**"];
}

/** Thousands apart, three digits that count. */
export function rate(perSecond: number): string {
  const rounded = Number(perSecond.toPrecision(3));
  return `${rounded.toLocaleString("en")}/s`;
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error("nothing was measured");
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

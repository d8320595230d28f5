/**
 * A strict reader of Prometheus' text format (version 0.0.4), written from its specification and not from the client
 * that writes it: whatever a scraper might stumble over is an error here.
 */

import assert from "node:assert/strict";

export type MetricKind = "counter" | "gauge" | "histogram";

export interface Family {
  readonly kind: MetricKind;
  readonly help: string;
  /** By name and labels as they are written. */
  readonly samples: ReadonlyMap<string, Sample>;
}

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const kinds: readonly string[] = ["counter", "gauge", "histogram"];
const samplePattern = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const labelPattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const suffixes = /_(?:bucket|sum|count)$/;

/** @throws AssertionError at the first thing that is not as the format has it */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  assert.ok(text.endsWith("\n"), "the last line ends with a line feed");
  const families = new Map<string, { kind: MetricKind; help: string; samples: Map<string, Sample> }>();
  let help: { readonly name: string; readonly text: string } | undefined;
  let current: string | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, what, name, rest] = comment as unknown as [string, string, string, string];
      assert.match(name, namePattern);
      if (what === "HELP") {
        help = { name, text: rest };
        continue;
      }
      assert.equal(help?.name, name, `${name} has a TYPE without a HELP before it`);
      assert.ok(kinds.includes(rest), `${name} is of kind ${rest}`);
      assert.ok(!families.has(name), `${name} is there twice`);
      families.set(name, { kind: rest as MetricKind, help: help?.text ?? "", samples: new Map() });
      current = name;
      continue;
    }
    assert.ok(!line.startsWith("#"), `neither HELP nor TYPE: ${line}`);
    const sample = sampleOf(line);
    const family = current === undefined ? undefined : families.get(current);
    const base = family?.kind === "histogram" ? sample.name.replace(suffixes, "") : sample.name;
    assert.ok(family && base === current, `${sample.name} is not where its family is`);
    const labels = [...sample.labels].map(([name, value]) => `${name}=${value}`).sort();
    const series = `${sample.name}{${labels.join()}}`;
    assert.ok(!family.samples.has(series), `twice: ${line}`);
    family.samples.set(series, sample);
  }
  for (const [name, family] of families) check(name, family);
  return families;
}

/**
 * The value of the series with these labels, or the sum of those that have them among others; undefined if there is
 * none.
 */
export function sumOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name) ?? families.get(name.replace(suffixes, ""));
  const found = [...(family?.samples.values() ?? [])].filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels.get(label) === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

function sampleOf(line: string): Sample {
  const parts = samplePattern.exec(line);
  assert.ok(parts, `no sample: ${line}`);
  const [, name, text = "", number] = parts as unknown as [string, string, string | undefined, string];
  const labels = new Map<string, string>();
  labelPattern.lastIndex = 0;
  while (labelPattern.lastIndex < text.length) {
    const at = labelPattern.lastIndex;
    const label = labelPattern.exec(text);
    assert.ok(label, `no label at ${at}: ${line}`);
    assert.ok(!labels.has(label[1] as string), `a label twice: ${line}`);
    labels.set(
      label[1] as string,
      (label[2] as string).replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c)),
    );
  }
  assert.ok(!text.endsWith(","), `a comma at the end of the labels: ${line}`);
  return { name, labels, value: numberOf(number) };
}

function numberOf(text: string): number {
  if (text === "NaN") return Number.NaN;
  if (/^[+-]Inf$/.test(text)) return text === "+Inf" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  assert.match(text, /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i, "a value is a number");
  return Number(text);
}

function check(name: string, { kind, help, samples }: Family): void {
  assert.ok(help.length > 10, `${name} is explained`);
  if (kind === "counter") {
    assert.ok(name.endsWith("_total"), `the counter ${name} ends with _total`);
    for (const { value } of samples.values()) assert.ok(value >= 0 && Number.isFinite(value), `${name} counts`);
  }
  if (kind === "gauge")
    assert.doesNotMatch(name, /_(?:total|count|sum|bucket)$/, "a gauge is not named like a counter");
  assert.doesNotMatch(name, /_(?:ms|milliseconds|minutes|kb|kib|mb|mib|percent)$/i, "in base units");
  if (kind === "histogram") checkBuckets(name, samples);
}

/** Buckets are cumulative, ascending, and the last one counts all. */
function checkBuckets(name: string, samples: ReadonlyMap<string, Sample>): void {
  const groups = new Map<string, { buckets: [number, number][]; count?: number; sum?: number }>();
  for (const { name: sampleName, labels, value } of samples.values()) {
    const others = [...labels].filter(([label]) => label !== "le").join(";");
    const group = groups.get(others) ?? { buckets: [] };
    groups.set(others, group);
    if (sampleName === `${name}_bucket`) group.buckets.push([numberOf(labels.get("le") as string), value]);
    else if (sampleName === `${name}_count`) group.count = value;
    else if (sampleName === `${name}_sum`) group.sum = value;
    else assert.fail(`${sampleName} is no part of a histogram`);
  }
  for (const [labels, { buckets, count, sum }] of groups) {
    buckets.forEach(([bound, value], index) => {
      const before = buckets[index - 1];
      if (before) assert.ok(bound > before[0] && value >= before[1], `${name} {${labels}} is cumulative`);
    });
    assert.equal(buckets.at(-1)?.[0], Number.POSITIVE_INFINITY, `${name} {${labels}} ends with +Inf`);
    assert.equal(buckets.at(-1)?.[1], count, `${name} {${labels}} counts all`);
    assert.ok(sum !== undefined && sum >= 0, `${name} {${labels}} has a sum`);
  }
}
